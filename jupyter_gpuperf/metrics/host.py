"""The machine around the devices. The calls are psutil's, by name."""

from __future__ import annotations

from jupyter_gpuperf.metrics.declaration import Metric

METRICS = (
    Metric(
        name="host_cpu_percent",
        family="host",
        overview=True,
        label="CPU",
        unit="percent",
        scope="host",
        maximum=100.0,
        help="Share of all the machine's cores that worked since the tick before.",
        read=lambda host: host("cpu_percent"),
        recorded=lambda reading, _static: reading["host"]["cpu_percent"],
    ),
    Metric(
        name="host_memory_used_bytes",
        family="host",
        overview=True,
        label="Host memory",
        unit="bytes",
        scope="host",
        maximum_metric="host_memory_total_bytes",
        help="Memory of the machine that programs can't get without swapping: total minus available.",
        read=lambda host: host("virtual_memory").total - host("virtual_memory").available,
        recorded=lambda reading, _static: reading["host"]["mem_used"],
    ),
    Metric(
        name="host_memory_total_bytes",
        family="host",
        label="Host memory installed",
        unit="bytes",
        scope="host",
        kind="limit",
        help="Memory of the machine.",
        read=lambda host: host("virtual_memory").total,
        # The recorder of the shipped traces did not write it down.
        recorded=lambda reading, _static: reading["host"].get("mem_total"),
    ),
)
