"""What Lab keeps of a page: it saves it a while after a change, and a page that is loaded again earlier has the old one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, Response


@contextmanager
def saving(page: Page, words: str) -> Iterator[None]:
    """Return once Lab has saved a state with these words in it."""

    def saved(response: Response) -> bool:
        request = response.request
        return (
            request.method == "PUT"
            and "/api/workspaces/" in request.url
            and words in (request.post_data or "")
        )

    with page.expect_response(saved):
        yield
