"""``%%amp_profile`` in JupyterLab: the answer is in the notebook, and the notebook goes on as if the cell had run once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from notebooks import SHOWN, open_notebook, run_all_cells
from playwright.sync_api import expect

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
# Fewest steps that make a curve, and time for them on a busy machine: with less time the curve gets shorter.
CELL = """\
%%amp_profile --modes fp32,bf16,fp16 --time-limit-seconds 4 --steps 3
optimizer.zero_grad()
outputs = model(inputs)
loss = torch.nn.functional.cross_entropy(outputs, targets)
loss.backward()
optimizer.step()
losses.append(loss.item())"""


def test_a_cell_is_profiled_in_the_notebook_and_was_run_once(open_page, lab):
    page = open_notebook(open_page, lab, "amp", SETUP, CELL, "f'{len(losses)} step taken'")
    run_all_cells(page)
    outputs = page.locator(f"{SHOWN} .jp-OutputArea-output")
    expect(outputs.last).to_contain_text("1 step taken", timeout=120_000)
    answer = outputs.filter(has_text="fp32 (now)")
    expect(answer).to_have_count(1)
    for words in ("bf16", "speed-up", "100% bf16", "slower than fp32, and was not measured"):
        expect(answer).to_contain_text(words)
    expect(answer.get_by_role("img", name="Loss over 3 steps")).to_be_visible()
    if folder := os.environ.get("GPUPERF_PICTURES"):
        answer.screenshot(path=Path(folder) / "amp_profile.png")
