"""A mode's failure names the cause that was checked, or says that it is not known."""

from __future__ import annotations

import pytest
import torch
from cells import STEP, profiled

from jupyter_gpuperf.errors import GpuPerfError

CAUSES = {
    "a function that lacks the format": (
        "outputs = helper(); outputs.detach().numpy()",
        "Run alone, Tensor.numpy fails in bf16 (inputs: bfloat16) and works in float32.",
    ),
    "an operator that lacks the format": (
        "rows = inputs.clone(); rows[torch.arange(8)] = helper()",
        "Run alone, aten::index_put_ fails in bf16 (inputs: bfloat16, float32) and works in float32.",
    ),
    "an assertion on the format": (
        "outputs = helper()\\nassert outputs.dtype == torch.float32",
        "Raised by line 2 of your own code; the cell's own mode does not raise it.",
    ),
    "once only": (
        "if torch.is_autocast_enabled('cpu') and not done: done(); raise RuntimeError('once')",
        "It did not happen again when repeated: the cause is not known.",
    ),
    "not of torch, nor of the user": (
        "import json; json.loads('{' if torch.is_autocast_enabled('cpu') else '{}')",
        "The cause is not known; only this mode raises it.",
    ),
}


class Once:
    """A flag that is not restored, like a library's."""

    raised = False

    def __call__(self):
        type(self).raised = True

    def __bool__(self):
        return type(self).raised


Once.__module__ = "torch._C"


@pytest.mark.parametrize(("code", "cause"), CAUSES.values(), ids=CAUSES)
def test_the_cause_is_checked_by_running_again(code, cause):
    Once.raised = False
    found = profiled(code.replace("\\n", "\n"), torch=torch, inputs=torch.zeros(8, 6), done=Once())
    assert found.mode("bf16").error["hint"] == cause
    assert found.mode("fp32").step_seconds["value"] > 0


def test_a_schedule_that_ends_shortens_the_blocks_and_all_modes_are_measured():
    model = torch.nn.Linear(6, 6)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=8)
    found = profiled(STEP + "schedule.step()", optimizer=optimizer, schedule=schedule)
    assert found.mode("bf16").step_seconds["value"] > 0
    assert any("raises ValueError after 8 runs in a row" in each for each in found.warnings)


def test_a_cell_that_can_not_be_repeated_says_so(tmp_path):
    with pytest.raises(GpuPerfError) as refusal:
        profiled("open(path, 'x').close()", path=str(tmp_path / "made"))
    assert refusal.value.code == "reference_failed"
    assert "FileExistsError" in refusal.value.message
    assert "own mode raises it, too, in run 1" in refusal.value.hint
