"""Describe the environment of a result. At module level, this module imports only the standard library."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from typing import Any

from jupyter_gpuperf import cgroup
from jupyter_gpuperf.measure import resources

Environment = dict[str, bool | int | float | str | None]


def describe(torch: Any = None, device: Any = None) -> Environment:
    """Return the facts that are needed to compare results; unknown values are ``None``.

    Parameters
    ----------
    torch
        The torch module; ``None`` if the benchmark does not use torch.
    device
        The measured ``torch.device``; ``None`` for the CPU.
    """
    found: Environment = {
        "python": platform.python_version(),
        "interpreter": sys.executable,
        "platform": platform.platform(),
        "cpu_count": resources.cpu_count(),
        "cpu_quota": cgroup.cpu_quota(),
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS"),
    }
    if torch is not None:
        found |= {
            "torch": str(torch.__version__),
            "torch_threads": torch.get_num_threads(),
            "cuda": torch.version.cuda,
            "device": str(device) if device is not None else "cpu",
        }
    if torch is not None and device is not None and device.type == "cuda":
        found |= _of_device(torch, device)
    return found


def _of_device(torch: Any, device: Any) -> Environment:
    properties = torch.cuda.get_device_properties(device)
    return {
        "device_name": properties.name,
        "compute_capability": f"{properties.major}.{properties.minor}",
        "multiprocessors": properties.multi_processor_count,
        "device_memory_bytes": properties.total_memory,
        "l2_flushed": False,  # a benchmark that flushes the L2 cache sets this to True
        # The next three values need nvidia-ml-py, which may not be installed in this environment.
        "clock_sm_mhz": _known(lambda: torch.cuda.clock_rate(device)),
        "temperature_celsius": _known(lambda: torch.cuda.temperature(device)),
        "power_watts": _known(lambda: torch.cuda.power_draw(device) / 1000),
    }


def _known(read: Any) -> float | None:
    with contextlib.suppress(Exception):  # after any error, the value is unknown
        return float(read())
    return None
