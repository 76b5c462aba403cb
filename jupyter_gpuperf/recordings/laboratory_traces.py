"""Convert one laboratory's traces into the product's own format.

A trace covers one device and contains the driver's raw answers, one JSON object per line. The first line is the header
with ``trace`` (the label) and ``static`` (constant values). Each further line is a reading at ``t`` seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from jupyter_gpuperf.metrics import Metric
from jupyter_gpuperf.recordings.recording_format import FORMAT, FORMAT_VERSION
from jupyter_gpuperf.schemas import DeviceInfo, Reading

KEYS: Final = {
    "utilization_percent": "utilization_gpu",
    "memory_controller_percent": "utilization_memory",
    "graphics_active_percent": "gpm.GRAPHICS_UTIL",
    "sm_active_percent": "gpm.SM_UTIL",
    "sm_occupancy_percent": "gpm.SM_OCCUPANCY",
    "tensor_active_percent": "gpm.ANY_TENSOR_UTIL",
    "tensor_half_percent": "gpm.HMMA_TENSOR_UTIL",
    "tensor_integer_percent": "gpm.IMMA_TENSOR_UTIL",
    "tensor_double_percent": "gpm.DFMA_TENSOR_UTIL",
    "fp16_active_percent": "gpm.FP16_UTIL",
    "fp32_active_percent": "gpm.FP32_UTIL",
    "fp64_active_percent": "gpm.FP64_UTIL",
    "integer_active_percent": "gpm.INTEGER_UTIL",
    "dram_bandwidth_percent": "gpm.DRAM_BW_UTIL",
    "memory_used_bytes": "memory_used",
    "memory_total_bytes": "memory_total",
    "power_watts": "power_mw",
    "power_limit_watts": "static.power_limit_mw",
    "power_instant_watts": "power_instant_mw",
    "temperature_celsius": "temperature_c",
    "clock_sm_mhz": "clock_sm_mhz",
    "clock_sm_max_mhz": "static.clock_sm_max_mhz",
    "clock_memory_mhz": "clock_mem_mhz",
    "clock_memory_max_mhz": "static.clock_mem_max_mhz",
    "clock_event_flags": "event_reasons",
    "pcie_transmit_bytes_per_second": "gpm.PCIE_TX_PER_SEC",
    "pcie_receive_bytes_per_second": "gpm.PCIE_RX_PER_SEC",
    "pcie_link_generation": "pcie_gen",
    "pcie_link_max_generation": "static.pcie_gen_max",
    "pcie_link_max_lanes": "static.pcie_width_max",
    "pcie_replays_count": "pcie_replay",
    "nvlink_transmit_bytes_per_second": "gpm.NVLINK_TOTAL_TX_PER_SEC",
    "nvlink_receive_bytes_per_second": "gpm.NVLINK_TOTAL_RX_PER_SEC",
    "host_cpu_percent": "host.cpu_percent",
    "host_cpu_limit_cores": "static.cpus",
    "host_load_count": "host.load1",
    "host_memory_used_bytes": "host.mem_used",
    "host_shm_used_bytes": "host.shm_used",
    "host_disk_read_bytes_per_second": "host.disk_read_bytes",
    "host_disk_write_bytes_per_second": "host.disk_write_bytes",
}
"""Metric → its key in a trace."""

DIVISORS: Final = {"_mw": 1e3, "_PER_SEC": 1.0 / (1 << 20)}
"""Suffix of a key → divisor to get the metric's unit: for milliwatts, and for GPM's MiB per second."""

SHORTEST_SECONDS: Final = 0.05
"""Shortest time over which a rate is computed: totals grow in steps, so a shorter one would be noise."""

Object = Mapping[str, Any]
Totals = dict[str, tuple[float, float, Reading]]
"""Metric → when its total was last read, the total, and its growth per second."""


def convert_trace(
    header: Object, lines: Iterable[Object], metrics: Sequence[Metric]
) -> tuple[Object, Iterator[Object]]:
    """Return a trace's header and messages as the product itself would have written them.

    Raises
    ------
    KeyError
        A key is missing from the header.
    ValueError
        Raised while the messages are read: the times go backwards.
    """
    label, static = str(header["trace"]), dict(header["static"])
    ours = {"format": FORMAT, "format_version": FORMAT_VERSION, "label": label}
    return ours, _messages(label, static, lines, metrics)


def _messages(
    label: str, static: Object, lines: Iterable[Object], metrics: Sequence[Metric]
) -> Iterator[Object]:
    totals: Totals = {}
    before, holders = -math.inf, None
    recorded = [each for each in metrics if each.name in KEYS]
    for line in lines:
        seconds = float(line["t"])
        if seconds < before:
            raise ValueError("times go backwards")
        row = {**line, "static": static}
        readings = {each.name: _reading(each, row, seconds, totals) for each in recorded}
        frame = {"time_seconds": seconds, "devices": {label: readings}, "host": readings}
        yield {"type": "frame", **frame}
        if math.isinf(before):
            device = msgspec.to_builtins(_device(label, static, readings))
            yield {"type": "devices", "devices": {"devices": [device]}}
        if line.get("processes") != holders:
            holders = line.get("processes")
            yield {"type": "processes", "devices": {label: _processes(holders)}}
        before = seconds


def _reading(metric: Metric, line: Object, seconds: float, totals: Totals) -> Reading:
    key = KEYS[metric.name]
    place, _, name = key.rpartition(".")
    raw = (line.get(place, {}) if place else line).get(name)
    # The laboratory did not check whether a device has links: a device without links returns 0.
    if raw is None or (metric.family == "nvlink" and not raw):
        return "not_recorded"
    value = float(raw) / next((DIVISORS[end] for end in DIVISORS if key.endswith(end)), 1.0)
    if not metric.per_second:
        return metric.to_reading(value)
    since, total, rate = totals.get(metric.name, (-math.inf, math.inf, "not_yet"))
    if seconds - since < SHORTEST_SECONDS:
        return rate
    # There is no rate after the first total, or after a reset.
    rate = metric.to_reading((value - total) / (seconds - since)) if value >= total else "not_yet"
    totals[metric.name] = (seconds, value, rate)
    return rate


def _processes(holders: Sequence[tuple[int, float | None]] | None) -> Any:
    if holders is None:
        return "not_recorded"
    return [
        {
            "pid": pid,
            "kinds": ["compute"],
            "memory_used_bytes": "not_recorded" if used is None else used,
            "sm_utilization_percent": "not_recorded",
        }
        for pid, used in holders
    ]


def _device(label: str, static: Object, readings: Mapping[str, Reading]) -> DeviceInfo:
    capability = static.get("compute_capability")
    return DeviceInfo(
        uuid=label,
        index=0,
        name=str(static.get("name", label)),
        state="ok",
        pci_bus_id=None,
        compute_capability=".".join(map(str, capability)) if capability else None,
        parent_uuid=None,
        unified_memory=False,
        driver_version=static.get("driver"),
        memory_total_bytes=readings["memory_total_bytes"],
        power_limit_watts=readings["power_limit_watts"],
        clock_sm_max_mhz=readings["clock_sm_max_mhz"],
        clock_memory_max_mhz=readings["clock_memory_max_mhz"],
        replayed=True,
    )
