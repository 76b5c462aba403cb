"""Fixtures: a real JupyterHub and a real browser."""

from real_browser import (  # noqa: F401  (fixtures and a hook)
    browser,
    jp_asyncio_loop,
    jp_server_cleanup,
    open_page,
    pytest_runtest_makereport,
)
from real_hub import hub  # noqa: F401
