"""``%%amp_profile`` in JupyterLab: the notebook and the panel show the answer; the notebook goes on as after a run."""

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
import torch
torch.set_num_threads(1)
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.Dropout(0.1), torch.nn.Linear(64, 8))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
inputs, targets = torch.randn(32, 64), torch.randint(0, 8, (32,))
losses = []
%load_ext jupyter_gpuperf"""
# Fewest steps that make a curve, with enough time on a busy machine: less time shortens the curve.
CELL = """\
%%amp_profile --modes fp32,bf16,fp16 --time-limit-seconds 4 --steps 3
optimizer.zero_grad()
outputs = model(inputs)
loss = torch.nn.functional.cross_entropy(outputs, targets)
loss.backward()
optimizer.step()
losses.append(loss.item())"""


JOB = f"{PANEL} .jp-GpuPerf-job"

# The answer of a kernel with an H100, which can't be measured here.
TOLD = """\
import msgspec
from jupyter_gpuperf.kernel_link.job_reporter import JobReporter
from jupyter_gpuperf.client.in_process_progress import InProcessJob
from jupyter_gpuperf.schemas import BenchmarkResult, JobInfo

class Reporting:
    def show(self, job):
        PANEL.report(msgspec.structs.replace(job, state="done", result=RESULT))
    def cancel_wanted(self):
        return False

def around(value):
    return {"value": value, "low": 0.98 * value, "high": 1.02 * value}

def mode(name, ms, verdict, numbers, **more):
    return {"mode": name, "step_seconds": ms and around(ms / 1e3), "speedup": ms and around(120 / ms),
            "peak_bytes": ms and int(ms * 2e8), "compile_seconds": None, "steps_skipped": 0,
            "verdict": verdict, "numbers": numbers, "error": "", **more}

RESULT = msgspec.convert({
    "benchmark": "amp_profile", "parameters": {}, "unit": "seconds", "figures": {}, "samples": {},
    "environment": {}, "limits": {}, "warnings": [],
    "precision": {
        "sentence": "Use bf16: 1.9× faster than now, 38 % less memory, "
                    "loss within seed noise (0.21×).",
        "now": "tf32", "recommended": "bf16",
        "modes": [
            mode("fp32", 310, "reference", ""),
            mode("tf32", 120, "within", "loss within seed noise (0.018×)"),
            mode("bf16", 63, "within", "loss within seed noise (0.21×)"),
            mode("fp16", None, None, "", error="Out of memory in this mode. Use a smaller batch."),
            mode("bf16+compile", 55, "far", "loss off by 4.1× seed noise",
                 compile_seconds=41.3, steps_skipped=2),
        ],
        "why_not_more": ["Kept in fp32 by autocast for accuracy: softmax (12)."],
        "next_steps": ["Add --compile to measure torch.compile."],
        "code": "with torch.autocast('cuda', dtype=torch.bfloat16):\\n    loss = model(batch)\\n",
    },
}, BenchmarkResult)
PANEL = JobReporter()
InProcessJob("amp_profile", Reporting()).report_progress(1.0, "")
"""


def test_a_cell_is_profiled_in_the_notebook_and_was_run_once(open_page, lab):
    page = open_notebook(open_page, lab, "amp", SETUP, CELL, "f'{len(losses)} step taken'")
    open_panel(page)
    run_all_cells(page)
    outputs = page.locator(f"{SHOWN} .jp-OutputArea-output")
    expect(outputs.last).to_contain_text("1 step taken", timeout=120_000)
    answer = outputs.filter(has_text="fp32 (now)")
    expect(answer).to_have_count(1)
    for words in (
        "bf16",
        "speedup",
        "100 % bf16",
        "Not measured: fp16 is slower than fp32 on CPUs.",
    ):
        expect(answer).to_contain_text(words)
    expect(answer.get_by_role("img", name="Loss over 3 steps")).to_be_visible()
    sentence = answer.locator("b").first.inner_text()
    if folder := os.environ.get("GPUPERF_PICTURES"):
        answer.screenshot(path=Path(folder) / "amp_profile.png")

    job = page.locator(JOB, has_text="modes fp32,bf16,fp16")  # without a reload; others may exist
    expect(job).to_have_attribute("data-job-state", "done")
    expect(job).to_contain_text(sentence)
    for mode in ("fp32", "bf16"):
        row = job.locator(f"[data-mode={mode}]")
        expect(row).to_contain_text(re.compile(r"\d [mµ]s ?\["))
        expect(row).to_contain_text("×")
    expect(job.locator("[data-mode=fp32]")).to_contain_text("reference")
    expect(job.locator("[data-mode=bf16]")).to_contain_text("loss ")
    expect(job.locator("[data-mode=fp16]")).to_contain_text(
        "Not measured: fp16 is slower than fp32 on CPUs."
    )
    expect(job).to_contain_text("No earlier result to compare with")  # it was kept


def test_the_panel_gives_the_code_and_says_what_is_wrong_with_a_mode(open_page, lab):
    page = open_notebook(open_page, lab, "told", TOLD)
    open_panel(page)
    run_all_cells(page)
    job = page.locator(JOB).first
    expect(job).to_contain_text("bf16: 1.9× faster than now, 38 % less memory")
    expect(job.locator("[data-recommended=true]")).to_have_attribute("data-mode", "bf16")
    expect(job.locator("[data-mode=tf32] th")).to_contain_text(re.compile(r"tf32 \(now\)22\.4 GiB"))
    failed = job.locator("[data-mode=fp16]")
    expect(failed).to_contain_text("Out of memory in this mode.")
    expect(failed.locator("td").first).to_have_text("–")
    compiled = job.locator("[data-mode='bf16+compile'] [data-verdict=far]")
    expect(compiled).to_contain_text("compiled in 41.3 s · GradScaler skipped 2 steps")
    expect(job).to_contain_text("Kept in fp32 by autocast for accuracy: softmax (12).")
    # In a narrow side bar nothing is wider than the bar.
    wider = """content => {
        content.style.width = '250px';
        const wider = content.scrollWidth - content.clientWidth;
        content.style.width = '';
        return wider;
    }"""
    assert page.locator(f"{PANEL} .jp-GpuPerf-content").evaluate(wider) == 0
    job.get_by_role("button", name="Insert below").click()
    inserted = page.locator(f"{SHOWN} .jp-Cell").last
    expect(inserted).to_contain_text("with torch.autocast('cuda', dtype=torch.bfloat16):")
    if folder := os.environ.get("GPUPERF_PICTURES"):
        job.screenshot(path=Path(folder) / "amp_profile_panel.png")
