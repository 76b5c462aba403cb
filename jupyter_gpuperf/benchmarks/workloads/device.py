"""Choose the device that a benchmark measures. Standard library only at module level."""

from __future__ import annotations

from typing import Any, Final

from jupyter_gpuperf.benchmarks.declaration import Context
from jupyter_gpuperf.measure.device import first_device
from jupyter_gpuperf.measure.timer import Timing
from jupyter_gpuperf.messages import Message

NO_GPU: Final = Message("PyTorch found no GPU; measured on the CPU.")
NO_GPU_SMALLER_STEP: Final = Message("PyTorch found no GPU; measured a smaller step on the CPU.")


def device_of(torch: Any, context: Context, message: str = NO_GPU) -> Any:
    """Return the device to measure; if that is the CPU, warn with ``message``."""
    device = first_device(torch)
    if device.type == "cpu":
        context.warn(message)
    return device


def warn_if_launch_bound(timing: Timing, context: Context) -> None:
    """Warn if the host takes nearly as long to launch a call as the device takes to run it."""
    if timing.launch_bound:
        context.warn("Launch-bound: launching takes nearly as long as computing.")
