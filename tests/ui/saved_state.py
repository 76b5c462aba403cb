"""JupyterLab saves a page's state a while after a change; a page that is reloaded earlier gets the old state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, Response


@contextmanager
def saving(page: Page, words: str) -> Iterator[None]:
    """Return once JupyterLab has saved a state that contains these words."""

    def saved(response: Response) -> bool:
        request = response.request
        return (
            request.method == "PUT"
            and "/api/workspaces/" in request.url
            and words in (request.post_data or "")
        )

    with page.expect_response(saved):
        yield
