"""Metrics of device memory."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from jupyter_gpuperf.metrics.declaration import Calls, Metric

_metric = partial(Metric, family="memory")
_limit = partial(_metric, kind="limit")

NVML_MEMORY_V2: Final = 0x02000028
"""Version number of ``nvmlMemory_v2``, which distinguishes memory reserved by the driver from memory in use, as
``nvidia-smi`` does. The first version of the struct counts both as used.
"""


def _memory(nvml: Calls) -> Any:  # a ctypes struct of pynvml
    return nvml("nvmlDeviceGetMemoryInfo", NVML_MEMORY_V2)


METRICS = (
    _metric(
        "memory_used_bytes",
        "Memory",
        "GPU memory allocated by all processes, active or not.",
        lambda nvml: _memory(nvml).used,
        overview=True,
        maximum_metric="memory_total_bytes",
    ),
    _limit(
        "memory_total_bytes",
        "Memory, total",
        "Installed GPU memory, including memory reserved by the driver.",
        lambda nvml: _memory(nvml).total,
    ),
    _metric(
        "memory_free_bytes",
        "Memory free",
        "GPU memory that can still be allocated.",
        lambda nvml: _memory(nvml).free,
        maximum_metric="memory_total_bytes",
    ),
    _metric(
        "memory_reserved_bytes",
        "Memory reserved",
        "GPU memory reserved by the driver.",
        lambda nvml: _memory(nvml).reserved,
        maximum_metric="memory_total_bytes",
    ),
    _metric(
        "memory_bar1_used_bytes",
        "BAR1 used",
        "Used part of the window through which the host and other devices access GPU memory.",
        lambda nvml: nvml("nvmlDeviceGetBAR1MemoryInfo").bar1Used,
        cadence="slow",
        maximum_metric="memory_bar1_total_bytes",
    ),
    _limit(
        "memory_bar1_total_bytes",
        "BAR1, total",
        "Size of the window through which others access GPU memory.",
        lambda nvml: nvml("nvmlDeviceGetBAR1MemoryInfo").bar1Total,
    ),
)
