"""torch.compile on a cell: in place, and gone afterwards."""

from __future__ import annotations

import functools
import shutil

import pytest
import torch
from test_session import subject

from jupyter_gpuperf.precision.options import ProfileOptions
from jupyter_gpuperf.precision.profile import run_profile

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="no compiler is here")

CELL = """
optimizer.zero_grad()
loss = model(inputs).square().mean()
loss.backward()
optimizer.step()
"""


@pytest.mark.filterwarnings("ignore")
def test_what_is_compiled_is_measured_apart_and_leaves_no_trace(monkeypatch):
    # Dynamo alone: building machine code takes half a minute, and is Inductor's own affair.
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.GELU(), torch.nn.Linear(8, 1))
    ns = {
        "model": model,
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.1),
        "inputs": torch.randn(4, 8),
        "__name__": "__main__",
    }
    before = set(vars(model))
    options = ProfileOptions(modes=("fp32",), compile=True, numerics=False, time_limit_seconds=0.2)
    found = run_profile(subject(ns, CELL), options)
    outcome = found.mode("fp32+compile")
    assert outcome.error is None
    assert outcome.compiled["compile_seconds"] > 0
    assert outcome.compiled["graphs"] == 1
    assert outcome.compiled["graph_breaks"] == 0
    assert outcome.step_seconds["value"] > 0
    assert outcome.compiled["speedup_over_eager"]["value"] > 0
    assert set(vars(model)) == before
