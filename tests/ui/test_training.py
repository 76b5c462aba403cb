"""The Training section: live on a replayed recording, and from a real notebook's loop."""

from __future__ import annotations

import re

import pytest
from notebooks import open_notebook, run_all_cells
from playwright.sync_api import expect
from recorded_ranks import with_ranks
from recorded_training import with_training
from test_lab import PANEL, ROOT, open_panel

pytestmark = pytest.mark.ui

SECTION = f"{PANEL} [data-section=training]"
RESULTS = ROOT / "test-results"


@pytest.fixture(scope="module")
def replay(start_server, tmp_path_factory):
    """JupyterLab on a recording that a notebook's loop is in."""
    session = ROOT / "tests" / "recordings" / "h100_session.jsonl.gz"
    target = tmp_path_factory.mktemp("recorded") / "trained.jsonl.gz"
    return start_server(f"replay:{with_training(session, target)}")


def test_a_recorded_loop_is_shown_live_with_its_split_and_forecast(replay, open_page):
    page = open_page(replay.page())
    open_panel(page)
    training = page.locator(f"{SECTION} .jp-GpuPerf-training")
    expect(training).to_contain_text("train.ipynb")
    expect(training.locator("[data-figure=samples_per_second]")).to_have_text(
        re.compile(r"1\u202f55\d|156\d samples/s")
    )
    expect(training.locator("[data-part=busy]")).to_have_text("GPU busy 45 %")
    expect(training.locator("[data-part=data]")).to_have_text(re.compile(r"for data \d+ %"))
    expect(training.locator("[data-part=rest]")).to_have_text(re.compile(r"for the host \d+ %"))
    expect(training.locator(".jp-GpuPerf-epoch")).to_contain_text(
        re.compile(r"of 1250 · 3\d s left")
    )
    expect(training.locator("[data-loader=train_loader]")).to_contain_text(
        "batch 64 · 4 workers · prefetch 2 · pinned"
    )
    expect(training).to_contain_text("test_loader · without gradients · step 12.3 ms")
    # The band grows while one looks.
    busy = training.locator(".jp-mod-busy").first
    before = busy.get_attribute("d")
    expect(busy).not_to_have_attribute("d", before, timeout=10_000)
    RESULTS.mkdir(exist_ok=True)
    page.screenshot(path=RESULTS / "training.png")


LOOP = """
%load_ext jupyter_gpuperf
%gpuwatch on
import time, torch
from torch.utils.data import DataLoader, TensorDataset
train_loader = DataLoader(TensorDataset(torch.arange(64.0)), batch_size=8)
until = time.monotonic() + 20
while time.monotonic() < until:
    for batch in train_loader:
        time.sleep(0.01)
"""


def test_a_notebook_that_watches_its_loop_is_seen_in_the_panel(lab, open_page):
    page = open_notebook(open_page, lab, "watched", LOOP)
    open_panel(page)
    section = page.locator(SECTION)
    expect(section).to_contain_text("%gpuwatch on")  # how to begin
    run_all_cells(page)
    training = section.locator(".jp-GpuPerf-training")
    expect(training).to_contain_text("watched.ipynb", timeout=60_000)
    expect(training.locator("[data-figure=samples_per_second]")).to_have_text(
        re.compile(r"\d+ samples/s"), timeout=60_000
    )
    expect(training.locator("[data-loader=train_loader]")).to_contain_text("batch 8 · 0 workers")
    expect(training.locator("[data-part=data]")).to_have_text(re.compile(r"waits for data \d+ %"))
    page.screenshot(path=RESULTS / "watched.png")


@pytest.fixture(scope="module")
def ranks(start_server, tmp_path_factory):
    """JupyterLab on a recording of two devices on which two ranks train."""
    return start_server(f"replay:{with_ranks(tmp_path_factory.mktemp('two') / 'two.jsonl.gz')}")


def test_each_rank_is_shown_with_its_gpu_and_the_late_one_is_named(ranks, open_page):
    page = open_page(ranks.page())
    open_panel(page)
    training = page.locator(f"{SECTION} .jp-GpuPerf-training")
    expect(training.locator("[data-loader=train_loader]")).to_contain_text("GPU 0 · batch 64")
    expect(training.locator("[data-rank='1']")).to_contain_text("GPU 1 · step 510 ms")
    expect(training.locator("[data-rank='1']")).to_contain_text("GPU waits for data 90 %")
    expect(training.get_by_role("button", name="Explain")).to_have_count(0)
    late = page.locator(f"{PANEL} [data-section=findings]")
    expect(late).to_contain_text("GPU 1 (process 4711) is late", timeout=40_000)
    RESULTS.mkdir(exist_ok=True)
    page.screenshot(path=RESULTS / "ranks.png")
