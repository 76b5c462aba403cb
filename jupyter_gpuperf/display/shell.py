"""Find the running IPython. Scripts, marimo and workers of a cluster have none, and may lack the package."""

from __future__ import annotations

import sys
from typing import Any


def running_shell() -> Any:
    """Return the running IPython shell; ``None`` if there is none."""
    return getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
