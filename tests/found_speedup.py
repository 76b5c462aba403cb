"""An answer of ``%%speedup``, as a search on a GPU gives it."""

from __future__ import annotations

from jupyter_gpuperf.levers.outcome import LeverOutcome, Speedup
from jupyter_gpuperf.messages import Message


def around(value):
    """Return a value with an interval of ±2 %."""
    return {"value": value, "low": 0.98 * value, "high": 1.02 * value}


def found_speedup(*, losses=(2.0, 1.5, 1.2), step_ms=(412.0, 206.0), **changes):
    """Return an answer: bf16 was taken, fp16 was wrong, channels_last slower; cudnn does not apply."""
    faster, slower = Message("It is faster."), Message("It is slower.")
    before, after = (around(each / 1000) for each in step_ms)
    known = {
        "speedup": around(before["value"] / after["value"]),
        "before_seconds": before,
        "after_seconds": after,
        "levers": [
            LeverOutcome("cudnn", False, Message("No model of the cell has convolutions.")),
            LeverOutcome("bf16", True, faster, around(2.0), 2.0),
            LeverOutcome("channels_last", False, slower, around(0.5)),
        ],
        "code": "loss.backward()\n",
        "setup": "import torch",
        "numerics": {
            "sentence": Message("bit-identical to fp32"),
            "losses": [*losses],
            "reference_losses": [*losses],
            "outputs": {},
        },
        "memory": {"before_bytes": 3 << 30, "after_bytes": 2 << 30},
        "steps_per_run": 5,
        "samples": {
            "before_seconds": [before["value"]] * 3,
            "after_seconds": [after["value"]] * 3,
        },
        "environment": {"device_name": "NVIDIA H200", "torch": "2.13.0"},
    }
    return Speedup(**{**known, **changes})


def nothing_taken():
    """Return the answer for a cell that is best as it was."""
    why = Message("It is slower.")
    return found_speedup(
        step_ms=(412.0, 412.0),
        levers=[LeverOutcome("bf16", False, why, around(0.5))],
        numerics={},
        setup="",
    )
