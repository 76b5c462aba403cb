"""How much device memory is in use."""

from __future__ import annotations

from typing import Any, Final

from jupyter_gpuperf.metrics.declaration import Calls, Metric

NVML_MEMORY_V2: Final = 0x02000028
"""``nvmlMemory_v2``: tells memory that the driver reserves for itself from memory in use, as
``nvidia-smi`` does. The first form of the call counts both as used."""


def _memory(nvml: Calls) -> Any:  # a ctypes struct of pynvml
    return nvml("nvmlDeviceGetMemoryInfo", NVML_MEMORY_V2)


METRICS = (
    Metric(
        name="memory_used_bytes",
        family="memory",
        overview=True,
        label="Memory",
        unit="bytes",
        maximum_metric="memory_total_bytes",
        help="Device memory allocated by all processes. Held memory is no sign of work.",
        read=lambda nvml: _memory(nvml).used,
        recorded=lambda reading, _static: reading["memory_used"],
    ),
    Metric(
        name="memory_total_bytes",
        family="memory",
        label="Memory installed",
        unit="bytes",
        kind="limit",
        help="Device memory installed, what the driver reserves for itself included.",
        read=lambda nvml: _memory(nvml).total,
        recorded=lambda reading, _static: reading["memory_total"],
    ),
    Metric(
        name="memory_free_bytes",
        family="memory",
        label="Memory free",
        unit="bytes",
        maximum_metric="memory_total_bytes",
        help="Device memory that can still be allocated.",
        read=lambda nvml: _memory(nvml).free,
        recorded=lambda reading, _static: reading.get("memory_free"),
    ),
    Metric(
        name="memory_reserved_bytes",
        family="memory",
        label="Memory reserved",
        unit="bytes",
        maximum_metric="memory_total_bytes",
        help="Device memory that the driver keeps for itself.",
        read=lambda nvml: _memory(nvml).reserved,
        recorded=lambda reading, _static: reading.get("memory_reserved"),
    ),
    Metric(
        name="memory_bar1_used_bytes",
        family="memory",
        label="BAR1 in use",
        unit="bytes",
        cadence="slow",
        maximum_metric="memory_bar1_total_bytes",
        help="Window through which the host and other devices reach device memory directly.",
        read=lambda nvml: nvml("nvmlDeviceGetBAR1MemoryInfo").bar1Used,
        recorded=lambda reading, _static: reading.get("bar1_used"),
    ),
    Metric(
        name="memory_bar1_total_bytes",
        family="memory",
        label="BAR1",
        unit="bytes",
        kind="limit",
        help="Size of the window through which others reach device memory directly.",
        read=lambda nvml: nvml("nvmlDeviceGetBAR1MemoryInfo").bar1Total,
        recorded=lambda reading, _static: reading.get("bar1_total"),
    ),
)
