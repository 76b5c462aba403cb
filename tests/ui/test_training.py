"""The Training section: live on a replayed recording, and from a real notebook's loop."""

from __future__ import annotations

import re

import pytest
from notebooks import open_notebook, run_all_cells
from playwright.sync_api import expect
from recorded_parts import starving, with_a_late_rank
from recorded_training import with_training
from test_lab import PANEL, ROOT, open_panel
from test_statusbar import put_settings

pytestmark = pytest.mark.ui

SECTION = f"{PANEL} [data-section=training]"
RESULTS = ROOT / "test-results"


@pytest.fixture(scope="module")
def replay(start_server, tmp_path_factory):
    """JupyterLab on a recording with two added loops of a named notebook."""
    session = ROOT / "tests" / "recordings" / "h100_session.jsonl.gz"
    target = tmp_path_factory.mktemp("recorded") / "trained.jsonl.gz"
    return start_server(f"replay:{with_training(session, target)}")


def test_a_notebooks_loops_are_shown_with_their_split_and_forecast(replay, open_page):
    page = open_page(replay.page())
    open_panel(page)
    training = page.locator(f"{SECTION} .jp-GpuPerf-training")
    expect(training).to_contain_text("train.ipynb")
    expect(training.locator("[data-figure=samples_per_second]")).to_have_text(
        re.compile(r"1\u202f55\d|156\d samples/s")
    )
    expect(training.locator("[data-part=busy]")).to_have_text("GPU busy 45 %")
    expect(training.locator("[data-part=data]")).to_have_text(re.compile(r"for data \d+ %"))
    expect(training.locator("[data-part=rest]")).to_have_text(re.compile(r"for host \d+ %"))
    expect(training.locator(".jp-GpuPerf-epoch")).to_contain_text(
        re.compile(r"of 1250 · 3\d s left")
    )
    expect(training.locator("[data-loader=train_loader]")).to_contain_text(
        "batch 64 · 4 workers · prefetch 2 · pinned · peak memory 14.0 GiB"
    )
    expect(training).to_contain_text("test_loader · no gradients · step 12.3 ms")
    worth = training.locator("[data-worth]")
    expect(worth).to_have_text("12\u202f300 tokens/s · 41 % of bf16 peak")
    expect(worth).to_have_attribute("title", re.compile("; 46 % at the GPU’s clock"))
    RESULTS.mkdir(exist_ok=True)
    page.screenshot(path=RESULTS / "training.png")
    page.emulate_media(
        forced_colors="active"
    )  # in high contrast the legend still distinguishes the parts
    colours = training.locator(".jp-GpuPerf-split > li").evaluate_all(
        "items => items.map(each => getComputedStyle(each, '::before').background)"
    )
    assert len(set(colours)) == 3


def test_the_status_bar_shows_tokens_and_utilization_if_that_is_chosen(replay, open_page):
    page = open_page(replay.page())
    item = page.locator(".jp-GpuPerf-statusItem")
    expect(item).to_contain_text("H100")
    expect(item).not_to_contain_text("tokens/s")
    put_settings(replay, {"statusBarMetrics": ["power_watts", "training"]})
    page.reload()
    expect(item).to_contain_text("W · 12\u202f300 tokens/s · 41 % of bf16 peak")
    expect(item.locator("button")).not_to_have_attribute("title", re.compile("Unknown"))
    put_settings(replay, {})


@pytest.fixture(scope="module")
def starved(start_server, tmp_path_factory):
    """JupyterLab on a real H100 whose notebook trains from JPEGs with two workers, as its step clock reported it."""
    return start_server(f"replay:{starving(tmp_path_factory.mktemp('starving'))}")


def test_a_loop_that_starves_is_shown_live_and_confirmed_with_evidence_and_a_fix(
    starved, open_page
):
    page = open_page(starved.page())
    open_panel(page)
    training = page.locator(f"{SECTION} .jp-GpuPerf-training")
    expect(training.locator("[data-figure=samples_per_second]")).to_have_text(
        re.compile(r"^[23]\d\d samples/s$")
    )
    expect(training.locator("[data-part=data]")).to_have_text(re.compile(r"for data 7\d %"))
    expect(training.locator("[data-loader=train_loader]")).to_contain_text("batch 128 · 2 workers")
    # The band grows while the page is open.
    data = training.locator(".jp-mod-data").first
    before = data.get_attribute("d")
    expect(data).not_to_have_attribute("d", before, timeout=10_000)

    card = page.locator(f"{PANEL} [data-section=findings] [data-finding=input-bound]")
    expect(card).to_contain_text(
        re.compile(r"GPU waits for data 7\d % of the time"), timeout=40_000
    )
    expect(card).to_have_attribute("data-severity", "critical")
    expect(card).to_contain_text("confirmed")
    card.get_by_role("button", name="Evidence").click()
    expect(card.locator("[data-evidence=idle_for_data_ratio]")).to_contain_text(
        re.compile(r"7\d(\.\d)? %")
    )
    expect(card.locator("[data-evidence=workers_count] dd")).to_have_text("2")
    page.screenshot(path=RESULTS / "starving.png")
    card.get_by_role("button", name="Fix").click()
    fix = card.locator("[data-part=fix] pre")
    # A recording has no loader to build and compare: the settings are shown, but no code.
    expect(fix).to_contain_text("Set them where it is created")
    expect(fix).to_contain_text("num_workers=4")


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
    expect(training.locator("[data-part=data]")).to_have_text(re.compile(r"waiting for data \d+ %"))
    page.screenshot(path=RESULTS / "watched.png")


OWN_BATCHES = """
%load_ext jupyter_gpuperf
%gpuwatch on
import time, torch
tokens = torch.randint(0, 50, (10_000,))
model = torch.nn.Sequential(torch.nn.Embedding(50, 16), torch.nn.Linear(16, 50))
optimizer = torch.optim.AdamW(model.parameters())
def get_batch():
    start = torch.randint(0, 9_000, (4,)).tolist()
    time.sleep(0.01)
    return torch.stack([tokens[i : i + 32] for i in start]), torch.stack([tokens[i + 1 : i + 33] for i in start])
until = time.monotonic() + 40
inputs, targets = get_batch()
while time.monotonic() < until:
    loss = torch.nn.functional.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
    inputs, targets = get_batch()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
"""


def test_a_loop_without_a_loader_is_seen_by_its_optimizer_and_can_be_profiled(lab, open_page):
    page = open_notebook(open_page, lab, "own_batches", OWN_BATCHES)
    open_panel(page)
    run_all_cells(page)
    training = page.locator(f"{SECTION} .jp-GpuPerf-training").filter(has_text="own_batches.ipynb")
    expect(training.locator("[data-figure=samples_per_second]")).to_have_text(
        re.compile(r"^\d+(\.\d)? (steps|samples)/s$"), timeout=60_000
    )
    expect(training.locator("[data-loader=optimizer]")).to_have_text(
        "optimizer · steps of the optimizer, no DataLoader"
    )
    expect(training.locator("[data-part=data]")).to_have_count(0)  # unknown is not shown as zero
    training.get_by_role("button", name="Profile 5 steps").click()
    output = page.locator(".jp-OutputArea-output").filter(has_text="step, profiled")
    expect(output).to_contain_text("5 steps profiled", timeout=60_000)
    expect(output).not_to_contain_text("wait for data")
    phases = training.locator("[data-phases=host]")
    expect(phases).to_contain_text(re.compile(r"forward \d+ % · backward \d+ % · optimizer \d+ %"))
    line = training.locator("[data-host-line]").first
    expect(line).to_have_text(re.compile(r"^get_batch · line 1?\d: host \d+ %$"), timeout=20_000)
    expect(training.locator("[data-worth]")).to_have_text(
        re.compile(r"^[\d\u202f]+ tokens/s$"), timeout=20_000
    )
    page.screenshot(path=RESULTS / "own_batches.png")


@pytest.fixture(scope="module")
def ranks(start_server, tmp_path_factory):
    """JupyterLab on two real H100s on which two ranks train, one of them the straggler."""
    return start_server(f"replay:{with_a_late_rank(tmp_path_factory.mktemp('two'))}")


def test_each_rank_is_shown_with_its_gpu_and_the_late_one_is_named(ranks, open_page):
    page = open_page(ranks.page())
    open_panel(page)
    training = page.locator(f"{SECTION} .jp-GpuPerf-training")
    expect(training.locator("[data-loader='DataLoader(Items)']").first).to_contain_text(
        "GPU 0 · batch 64"
    )
    expect(training.locator("[data-rank='1']")).to_contain_text(
        re.compile(r"GPU 1 · step 1\d\d ms")
    )
    expect(training.locator("[data-rank='1']")).to_contain_text(
        re.compile(r"GPU waiting for data 5\d %")
    )
    expect(training.get_by_role("button", name="Profile 5 steps")).to_have_count(0)
    findings = page.locator(f"{PANEL} [data-section=findings]")
    late = findings.locator("[data-finding=communication-bound] strong")
    # It begins with the GPU, so the GPU is not added in front again, as for a sentence without it.
    expect(late).to_have_text(
        re.compile(r"^GPU 1 \(process 818\) waits for data and delays"), timeout=40_000
    )
    expect(findings.locator("[data-finding=input-bound] strong")).to_have_text(
        re.compile(r"^GPU 1: GPU waits for data 5\d %")
    )
    RESULTS.mkdir(exist_ok=True)
    page.screenshot(path=RESULTS / "ranks.png")
