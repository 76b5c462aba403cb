"""A script that runs under ``jupyter gpuperf run`` is shown beside the notebooks."""

from __future__ import annotations

import subprocess

import pytest
from playwright.sync_api import expect
from real_browser import RESULTS
from script_runs import LOOP, command, environment
from test_lab import PANEL, open_panel

pytestmark = pytest.mark.ui


@pytest.fixture
def script(lab):
    """A script that trains until the test ends."""
    process = subprocess.Popen(
        command(lab.folder, f"{LOOP}\ntrain(100_000)", "--quiet"),
        cwd=lab.folder,
        env=environment(JUPYTER_RUNTIME_DIR=str(lab.folder.parent / "runtime")),
        stdin=subprocess.DEVNULL,
    )
    yield process
    process.terminate()
    process.wait(30)


def test_a_script_is_a_loop_among_the_notebooks_and_ends_with_its_process(lab, script, open_page):
    page = open_page(lab.page())
    open_panel(page)
    training = page.locator(f"{PANEL} [data-section=training] .jp-GpuPerf-training")
    expect(training).to_contain_text("train.py", timeout=60_000)
    expect(training.locator("[data-figure=samples_per_second]")).to_contain_text("steps/s")
    expect(training.locator("[data-host-line]").first).to_contain_text("get_batch")
    expect(training.get_by_role("button", name="Profile 5 steps")).to_have_count(0)
    RESULTS.mkdir(exist_ok=True)
    page.screenshot(path=RESULTS / "script.png")
    script.terminate()
    expect(training).to_have_count(0)
