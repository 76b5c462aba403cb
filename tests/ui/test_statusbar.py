"""The status bar: its content by the user's settings, and how it shows that something is wrong."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from test_notebooks_and_alerts import driver  # noqa: F401  (a fixture)

pytestmark = pytest.mark.ui

ITEM = ".jp-GpuPerf-statusItem"
BUTTON = f"{ITEM} button"


@pytest.fixture(scope="module")
def server(start_server, driver):  # noqa: F811
    return start_server("nvml", modules=driver.folder)


def put_settings(server, settings: dict) -> None:
    """Set the extension's settings in a server."""
    request = urllib.request.Request(
        f"{server.url}lab/api/settings/jupyter-gpuperf:plugin",
        method="PUT",
        data=json.dumps({"raw": json.dumps(settings)}).encode(),
        headers={"Authorization": f"token {server.token}"},
    )
    urllib.request.urlopen(request, timeout=10).close()


@pytest.fixture
def open_bar(server, open_page):
    """Open a page with these settings of the extension; restore them afterwards."""

    def open_bar(**settings: object) -> Page:
        put_settings(server, settings)
        page = open_page(server.page())
        expect(page.locator(ITEM)).to_contain_text("H100 ·")
        return page

    yield open_bar
    put_settings(server, {})


@pytest.fixture(scope="module")
def usual(browser, server) -> Iterator[Page]:
    """One page with the default settings: loading JupyterLab takes seconds."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    page = context.new_page()
    page.goto(server.page())
    expect(page.locator(f"{ITEM} [data-metric=power_watts]")).to_have_text("542 W", timeout=30_000)
    yield page
    context.close()


def test_figures_and_device_are_those_of_the_settings(open_bar):
    page = open_bar(
        statusBarMetrics=["power_watts", "nonsense", "clock_sm_mhz", "host_cpu_percent"],
        statusBarDevice="1",
    )
    expect(page.locator(ITEM)).to_contain_text("GPU 1 H100 ·")
    figures = page.locator(f"{ITEM} [data-metric]")
    expect(figures).to_have_count(3)
    expect(figures.nth(0)).to_have_text("542 W")
    # A value shows its name if its unit does not identify it.
    expect(figures.nth(1)).to_have_text(re.compile(r"SM clock \d+ MHz"))
    expect(figures.nth(2)).to_have_text(re.compile(r"CPU \d+ %"))
    # A missing value is left out, and the tooltip reports it.
    title = re.compile("Unknown metrics in the settings: nonsense")
    expect(page.locator(BUTTON)).to_have_attribute("title", title)


def test_a_figure_beyond_its_threshold_has_a_sign_beside_its_colour(open_bar):
    page = open_bar(
        statusBarDevice="GPU-that-is-elsewhere",
        statusBarThresholds={
            "power_watts": {"warning": 500, "critical": 600},
            "memory_used_bytes": {"warning": 5, "critical": 10},  # percent of the total
            "temperature_celsius": {"warning": 100},
        },
    )
    power = page.locator(f"{ITEM} [data-metric=power_watts]")
    expect(power).to_have_attribute("data-level", "warning")
    expect(power.get_by_role("img", name="Warning")).to_have_text("▲")
    memory = page.locator(f"{ITEM} [data-metric=memory_used_bytes]")
    expect(memory).to_have_attribute("data-level", "critical")
    expect(memory.get_by_role("img", name="Critical")).to_have_text("!")
    temperature = page.locator(f"{ITEM} [data-metric=temperature_celsius]")
    expect(temperature.get_by_role("img")).to_have_count(0)
    # A device that does not exist: the first one is shown, and the tooltip reports it.
    title = re.compile("Unknown GPU in the settings: GPU-that-is-elsewhere")
    expect(page.locator(BUTTON)).to_have_attribute("title", title)


def test_the_tooltip_tells_of_every_device(usual):
    title = usual.locator(BUTTON).get_attribute("title")
    for index in (0, 1):
        line = rf"GPU {index} NVIDIA H100.*: Busy \d+ % · Memory [\d.]+ of 80 GiB"
        assert re.search(rf"{line} · Temperature \d+ °C · Power \d+ of 700 W", title)


def test_nothing_moves_when_a_number_changes_its_width(usual):
    places = usual.evaluate(
        """() => {
            const number = document.querySelector(
                '.jp-GpuPerf-statusItem [data-metric=utilization_percent] .jp-GpuPerf-number');
            const beside = [...document.querySelectorAll('.jp-GpuPerf-separator')];
            const before = number.textContent;
            const places = ['7', '63', '100'].map(text => {
                number.textContent = text;
                return beside.map(each => each.getBoundingClientRect().x);
            });
            number.textContent = before;
            return places;
        }"""
    )
    assert len(places[0]) == 4
    assert places[0] == places[1] == places[2]
    # No blank is doubled either: a typical value fills its place.
    spare = usual.locator(f"{ITEM} [data-metric=utilization_percent]").evaluate(
        """each => each.getBoundingClientRect().width
            - each.querySelector('.jp-GpuPerf-number').getBoundingClientRect().width
            - each.querySelector('.jp-GpuPerf-unit').getBoundingClientRect().width"""
    )
    assert abs(spare) < 1


def test_an_alert_changes_the_dot_s_shape_and_is_named(usual, driver):  # noqa: F811
    dot = usual.locator(f"{ITEM} .jp-GpuPerf-dot")
    expect(dot).to_have_attribute("data-severity", "none")
    quiet = dot.locator("svg").inner_html()
    driver.set(lost=True)
    try:
        expect(dot).to_have_attribute("data-severity", "critical", timeout=15_000)
        expect(usual.locator(ITEM).get_by_role("img", name="1 alert")).to_be_visible()
        assert dot.locator("svg").inner_html() != quiet
        title = re.compile(r"^1 alert\nGPU 1: The driver has lost the GPU")
        expect(usual.locator(BUTTON)).to_have_attribute("title", title)
    finally:
        driver.set(lost=False)
    expect(dot).to_have_attribute("data-severity", "none", timeout=15_000)
    usual.locator(BUTTON).click()
    expect(usual.locator("#jp-gpuperf-panel")).to_be_visible()
