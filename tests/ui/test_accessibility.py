"""What people need who use no mouse, see little, or not these colours: every view, as axe-core finds it."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from recorded_parts import with_a_late_rank
from test_lab import PANEL, open_panel

pytestmark = pytest.mark.ui

AXE = Path(__file__).parents[2] / "labextension" / "node_modules" / "axe-core" / "axe.min.js"
BOARD = ".jp-GpuPerf-dashboard"
OURS = [PANEL, BOARD, ".jp-GpuPerf-statusItem"]
THEMES = ("JupyterLab Light", "JupyterLab Dark", "JupyterLab Dark High Contrast")
DOCUMENTATION = {"documentationUrl": "https://example.org/docs"}

FIND = """async ours => {
    const here = ours.filter(each => document.querySelector(each));
    const { violations } = await axe.run({ include: here.map(each => [each]) });
    return violations.map(each => [
        each.id,
        ...each.nodes.map(node => `${node.target} ${node.any.map(why => why.message)}`)
    ]);
}"""


def found(page: Page) -> list[list[str]]:
    """Return what axe finds in the panel, the dashboard and the status bar's item."""
    if page.evaluate("() => !window.axe"):
        page.add_script_tag(path=AXE)
    return page.evaluate(FIND, OURS)


def unfold(page: Page) -> None:
    """Open everything in the panel that folds."""
    closed = page.locator(f"{PANEL} details:not([open]) > summary")
    while closed.count():
        closed.first.click()
    # Two checks are enough: each looks like all others.
    page.evaluate(
        "panel => document.querySelectorAll(`${panel} [data-section] details details`)"
        ".forEach(each => each.open = true)",
        PANEL,
    )


@pytest.mark.parametrize("theme", THEMES)
def test_nothing_is_found_in_any_view(start_server, open_page, tmp_path, theme):
    server = start_server(
        f"replay:{with_a_late_rank(tmp_path)}",
        lab_settings={
            "@jupyterlab/apputils-extension:themes": {"theme": theme},
            "jupyter-gpuperf:plugin": DOCUMENTATION,
        },
    )
    page = open_page(server.page())
    open_panel(page)
    expect(page.locator(f"{PANEL} .jp-GpuPerf-introduction")).to_be_visible()
    finding = page.locator(f"{PANEL} [data-finding]").first
    expect(finding).to_be_visible(timeout=60_000)
    assert found(page) == []

    page.get_by_role("button", name="Got it").click()
    page.locator(".jp-GpuPerf-formHead button").click()
    expect(page.locator(f"{PANEL} [data-running] progress")).to_be_visible()
    unfold(page)
    page.locator(f"{PANEL} [data-action=evidence]").click()
    assert found(page) == []

    page.locator(".jp-GpuPerf-toDashboard").click()
    expect(page.locator(f"{BOARD} canvas").first).to_be_visible()
    page.locator(f"{BOARD} .jp-GpuPerf-picker summary").click()
    assert found(page) == []
    page.emulate_media(forced_colors="active")
    assert found(page) == []
