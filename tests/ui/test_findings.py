"""The diagnosis as a user sees it: on a replayed H100 that waits for one JPEG worker."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from notebooks import write_notebook
from playwright.sync_api import expect
from test_lab import PANEL, ROOT, open_panel

pytestmark = pytest.mark.ui

LINE_PIXELS = 28
CARD = f"{PANEL} [data-section=findings] [data-finding=input-bound]"


def after(seconds: float, recording: Path, target: Path) -> Path:
    """Copy a recording without its first seconds."""
    with gzip.open(recording, "rt") as lines, gzip.open(target, "wt", compresslevel=1) as out:
        out.write(next(lines))  # the header
        for reading in map(json.loads, lines):
            if reading.get("t", 0.0) >= seconds:
                out.write(json.dumps(reading | {"t": reading["t"] - seconds}) + "\n")
    return target


@pytest.fixture(scope="module")
def server(start_server, starved_recording, tmp_path_factory):
    # Without the ten idle seconds at its beginning, for which the test would have to wait.
    working = after(
        12.0, starved_recording, tmp_path_factory.mktemp("working") / "working.jsonl.gz"
    )
    server = start_server(f"replay:{working}")
    write_notebook(server.folder / "train.ipynb", "print('training')")
    return server


@pytest.fixture
def page(open_page, server, request):
    page = open_page(server.page(f"lab/workspaces/{request.node.name}/tree/train.ipynb"))
    expect(page.locator(".jp-Notebook")).to_be_visible(timeout=60_000)
    open_panel(page)
    # It is reported within fifteen seconds.
    expect(page.locator(CARD)).to_be_visible(timeout=60_000)
    return page


def test_a_starved_gpu_is_said_with_its_cost_its_evidence_and_a_fix(page):
    card = page.locator(CARD)
    expect(card).to_have_attribute("data-severity", "warning")
    expect(card).to_contain_text("probably waiting for data.")
    expect(card).to_contain_text("suspected from driver readings")
    dot = page.locator(".jp-GpuPerf-statusItem .jp-GpuPerf-dot")
    expect(dot).to_have_attribute("data-severity", "warning")
    expect(dot).to_have_attribute("aria-label", "1 finding")

    card.get_by_role("button", name="Evidence").click()
    cores = card.locator("[data-evidence=host_used_cores]")
    expect(cores).to_contain_text("1.1")
    expect(card.locator("[data-evidence=busy_ratio]")).to_contain_text("%")
    page.screenshot(path=ROOT / "test-results" / "finding.png")

    card.get_by_role("button", name="Fix").click()
    expect(card.locator("[data-part=evidence]")).to_have_count(0)
    code = card.locator("[data-part=fix] pre")
    expect(code).to_contain_text("%gpuwatch on")
    expect(code).to_have_css("overflow-wrap", "normal")  # a word is never broken
    page.screenshot(path=ROOT / "test-results" / "finding_fix.png")

    before = page.locator(".jp-Notebook .jp-Cell").count()
    card.get_by_role("button", name="Insert below").click()
    expect(page.locator(".jp-Notebook .jp-Cell")).to_have_count(before + 1)
    inserted = page.locator(".jp-Notebook .jp-Cell").nth(1)
    expect(inserted).to_contain_text("%load_ext jupyter_gpuperf")
    expect(inserted).to_contain_text("%gpuwatch on")


def test_a_finding_that_is_dismissed_stays_away_until_it_is_called_back(page):
    devices = page.locator(f"{PANEL} [data-section=devices]")
    before = devices.bounding_box()["y"]
    page.locator(CARD).get_by_role("button", name="Dismiss").click()
    expect(page.locator(CARD)).to_have_count(0)
    dot = page.locator(".jp-GpuPerf-statusItem .jp-GpuPerf-dot")
    expect(dot).to_have_attribute("data-severity", "none", timeout=15_000)
    # Whether there is a finding or not, what is below it moves by no more than a line.
    assert abs(devices.bounding_box()["y"] - before) <= LINE_PIXELS
    page.get_by_role("button", name="1 dismissed: show again").click()
    expect(page.locator(CARD)).to_be_visible()
    assert abs(devices.bounding_box()["y"] - before) <= LINE_PIXELS
