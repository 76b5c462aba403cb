"""``%%speedup`` in JupyterLab: the panel shows what was tried while it runs, then the way to the answer, and its code."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from notebooks import SHOWN, open_notebook, run_all_cells
from playwright.sync_api import expect
from test_lab import PANEL, open_panel

pytest.importorskip("torch")
pytestmark = pytest.mark.ui

SETUP = """\
import time, torch
torch.set_num_threads(1)
torch.manual_seed(0)
weights = torch.randn(8, 8, requires_grad=True)
optimizer = torch.optim.SGD([weights], lr=0.01)
inputs = torch.randn(4, 8)
losses = []
%load_ext jupyter_gpuperf"""
CELL = """\
%%speedup --time-limit-seconds 20
for _ in range(4):
    optimizer.zero_grad()
    loss = (inputs @ weights).square().mean()
    loss.backward()
    optimizer.step()
    time.sleep(0.02)
    losses.append(loss.item())"""
# What a CPU gains by a lever depends on the machine, so another package adds two whose gains are sure.
LEVERS = """\
from jupyter_gpuperf.levers.lever import Lever

def replaced(new):
    old = "time.sleep(0.02)"
    return lambda situation, code: code.with_cell(code.cell.replace(old, new))

LEVERS = (
    Lever(name="longer wait", apply=replaced("time.sleep(0.04)")),
    Lever(name="shorter wait", apply=replaced("time.sleep(0.01)")),
    Lever(name="no wait", apply=lambda s, code: code.with_cell(code.cell.replace("    time.sleep(0.01)\\n", ""))),
)
"""
JOB = f"{PANEL} .jp-GpuPerf-job"
WIDER = """content => {
    content.style.width = '250px';
    const wider = content.scrollWidth - content.clientWidth;
    content.style.width = '';
    return wider;
}"""


@pytest.fixture
def server(start_server, tmp_path):
    info = tmp_path / "waits-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: waits\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[jupyter_gpuperf.levers]\nwaits = waits:LEVERS\n")
    (tmp_path / "waits.py").write_text(LEVERS)
    return start_server("none", modules=tmp_path)


def test_the_panel_shows_the_way_to_the_answer_and_gives_its_code(open_page, server):
    page = open_notebook(open_page, server, "speedup", SETUP, CELL, "len(losses)")
    open_panel(page)
    run_all_cells(page)
    running = page.locator(f"{JOB}[data-job-state=running]")  # others' results may be there too
    expect(running).to_contain_text("tf32: This device does not support tf32.", timeout=60_000)
    job = page.locator(f"{JOB}[data-job='{running.get_attribute('data-job')}']")
    expect(job).to_have_attribute("data-job-state", "done", timeout=120_000)

    steps = job.locator("[data-step]")
    expect(steps).to_have_count(4)
    for step, words in zip(
        steps.all(), ("as it was", "shorter wait", "no wait", "the code below"), strict=True
    ):
        expect(step).to_contain_text(words)
        expect(step).to_contain_text(re.compile(r"\[.+, .+\]"))
    widths = [each.bounding_box()["width"] for each in job.locator(".jp-GpuPerf-track > div").all()]
    assert widths[:3] == sorted(widths[:3], reverse=True)
    assert widths[0] > 1.5 * widths[1]
    expect(job).to_contain_text(re.compile(r"✗ longer wait 0\.\d+ ×: It is slower\."))
    expect(job).to_contain_text("with shorter wait, no wait.")
    expect(job).to_contain_text("No earlier result to compare with")  # it was kept
    assert page.locator(f"{PANEL} .jp-GpuPerf-content").evaluate(WIDER) == 0

    answer = page.locator(f"{SHOWN} .jp-OutputArea-output", has_text="the code below")
    expect(answer.get_by_role("img", name="Loss over")).to_be_visible()
    expect(page.locator(f"{SHOWN} .jp-OutputArea-output").last).to_have_text("4")
    if folder := os.environ.get("GPUPERF_PICTURES"):
        answer.screenshot(path=Path(folder) / "speedup.png")
        job.screenshot(path=Path(folder) / "speedup_panel.png")

    job.get_by_role("button", name="Insert below").click()
    inserted = page.locator(f"{SHOWN} .jp-Cell").last
    expect(inserted).to_contain_text("loss.backward()")
    expect(inserted).not_to_contain_text("sleep")
