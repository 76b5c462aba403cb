"""The dashboard in the main area: curves, cursor, zoom, pause, metrics, and a table behind each chart."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from saved_state import saving
from test_lab import open_panel

pytestmark = pytest.mark.ui

BOARD = ".jp-GpuPerf-dashboard"
BUSY = f"{BOARD} [data-metric=utilization_percent]"
POWER = f"{BOARD} [data-metric=power_watts]"


def open_dashboard(page: Page) -> None:
    open_panel(page)
    page.click(".jp-GpuPerf-toDashboard")
    expect(page.locator(f"{POWER} .u-legend .u-value").nth(1)).to_contain_text("W")


def draws(page: Page) -> int:
    return int(page.locator(f"{POWER} .jp-GpuPerf-plot").get_attribute("data-drawn") or 0)


@pytest.fixture(scope="module")
def board(browser, lab) -> Iterator[Page]:
    """One page for all tests that leave it unchanged: loading JupyterLab takes seconds."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    page = context.new_page()
    page.goto(lab.page())
    open_dashboard(page)
    yield page
    context.close()


def test_each_metric_has_a_chart_with_a_curve_per_device_and_the_newest_values(board):
    legend = board.locator(f"{POWER} .u-legend .u-series:not(:first-child)")
    expect(legend).to_have_count(2)
    expect(legend.nth(0)).to_contain_text("GPU 0")
    expect(legend.nth(1)).to_contain_text("GPU 1")
    # A metric that no device of these recordings has is not drawn as zero.
    expect(board.locator(f"{BOARD} section[data-metric^=nvlink]")).to_have_count(0)
    plot = board.locator(f"{POWER} .jp-GpuPerf-plot")
    expect(plot).not_to_have_attribute("data-drawn", str(draws(board)))
    painted = board.locator(f"{POWER} canvas").evaluate(
        "canvas => new Set(new Uint32Array(canvas.getContext('2d')"
        ".getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size"
    )
    assert painted > 3


def test_one_cursor_over_all_charts(board):
    board.locator(f"{BUSY} .u-over").hover()
    other = board.locator(f"{POWER} .u-cursor-x")
    expect(other).to_be_visible()
    place = "element => element.getBoundingClientRect().left"
    own = board.locator(f"{BUSY} .u-cursor-x").evaluate(place)
    left = "element => element.closest('.u-over').getBoundingClientRect().left"
    assert own - board.locator(f"{BUSY} .u-cursor-x").evaluate(left) == pytest.approx(
        other.evaluate(place) - other.evaluate(left), abs=2
    )


def test_pause_stops_zoom_and_keys_move_and_back_to_live(board):
    board.click(f"{BOARD} [data-action=pause]")
    axis = "() => document.querySelector('.jp-GpuPerf-table caption').textContent"
    board.click(f"{POWER} hgroup button")
    span = board.evaluate(axis)
    board.wait_for_timeout(2200)
    assert board.evaluate(axis) == span

    plot = board.locator(f"{POWER} .jp-GpuPerf-plot")
    plot.focus()
    plot.press("ArrowLeft")
    board.wait_for_function(f"({axis})() !== {span!r}")
    plot.press("Home")
    expect(board.locator(f"{BOARD} [data-action=pause]")).to_be_visible()

    over = board.locator(f"{BUSY} .u-over").bounding_box()
    board.mouse.move(over["x"] + 0.5 * over["width"], over["y"] + 20)
    board.mouse.down()
    board.mouse.move(over["x"] + 0.9 * over["width"], over["y"] + 20, steps=4)
    board.mouse.up()
    expect(board.locator(f"{BOARD} [data-action=resume]")).to_be_visible()
    board.click(f"{BOARD} [data-action=resume]")
    expect(board.locator(f"{BOARD} [data-action=pause]")).to_be_visible()
    board.click(f"{POWER} hgroup button")


def test_every_chart_has_a_table(board):
    board.click(f"{BUSY} hgroup button")
    table = board.locator(f"{BUSY} .jp-GpuPerf-table")
    expect(table.locator("thead th")).to_have_text(["Last", "Min", "Mean", "Max"])
    rows = table.locator("tbody tr")
    expect(rows).to_have_count(2)
    figures = [text.split()[0] for text in rows.nth(0).locator("td").all_inner_texts()]
    newest, least, mean, most = map(float, figures)
    assert 0 <= least <= mean <= most <= 100
    assert least <= newest <= most
    board.click(f"{BUSY} hgroup button")
    expect(table).to_have_count(0)


def test_metrics_span_and_layout_outlive_the_page(start_server, packaged_recordings, open_page):
    # Its own server: what it remembers would change the other tests' pages.
    server = start_server(f"replay:{','.join(map(str, packaged_recordings))}")
    board = open_page(server.page())
    open_dashboard(board)
    board.click(f"{BOARD} .jp-GpuPerf-picker summary")
    missing = board.locator(f"{BOARD} label:has([name=nvlink_receive_bytes_per_second])")
    expect(missing).to_contain_text("Not in this recording")
    board.uncheck(f"{BOARD} [name=utilization_percent]")
    board.check(f"{BOARD} [name=clock_memory_mhz]")
    board.click(f"{BOARD} [data-range='600']")
    with saving(board, '"columns"'):
        board.click(f"{BOARD} button[data-layout=columns]")
    expect(board.locator(f"{BOARD} [data-metric=clock_memory_mhz]")).to_have_count(2)
    expect(board.locator(BUSY)).to_have_count(0)

    board.reload()
    expect(board.locator(f"{BOARD} [data-metric=clock_memory_mhz]")).to_have_count(2)
    expect(board.locator(BUSY)).to_have_count(0)
    expect(board.locator(f"{BOARD} [data-range='600']")).to_have_attribute("aria-pressed", "true")


def test_without_a_gpu_it_says_why_and_shows_the_host(start_server, open_page):
    page = open_page(start_server("none").page())
    open_panel(page)
    page.click(".jp-GpuPerf-toDashboard")
    expect(page.locator(f"{BOARD} .jp-GpuPerf-absent")).to_be_visible()
    expect(page.locator(f"{BOARD} [data-metric=host_cpu_percent] canvas")).to_be_visible()
