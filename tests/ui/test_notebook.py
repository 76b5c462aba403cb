"""Notebook 7: no status bar; the panel is reached through the View menu."""

from __future__ import annotations

import pytest
from notebooks import write_notebook
from playwright.sync_api import expect

pytestmark = pytest.mark.ui


def test_the_panel_opens_from_the_view_menu(start_server, open_page, packaged_recordings):
    server = start_server(f"replay:{packaged_recordings[0]}", app="notebook")
    write_notebook(server.folder / "empty.ipynb", "1 + 1")
    page = open_page(server.page("notebooks/empty.ipynb"))
    page.get_by_role("menuitem", name="View", exact=True).click()
    page.get_by_role("menuitem", name="GPU Performance").click()
    card = page.locator("#jp-gpuperf-panel .jp-GpuPerf-card")
    expect(card).to_be_visible()
    expect(card).to_contain_text("H100")
    expect(card.locator("canvas").first).to_be_visible()
