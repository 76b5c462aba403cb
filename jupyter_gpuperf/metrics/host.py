"""The machine around the devices. The calls are psutil's, by name, and those of ``sources/host.py``.

What a container may use counts, where it is less than the machine has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from jupyter_gpuperf.metrics.declaration import Calls, Metric


def _rate(name: str, label: str, help_text: str, read: Callable[[Calls], Any], key: str) -> Metric:
    return Metric(
        name=name,
        family="host",
        label=label,
        unit="bytes_per_second",
        scope="host",
        per_second=True,
        help=help_text,
        read=read,
        recorded=lambda reading, _static: reading["host"].get(key),
    )


CPU: Final = (
    Metric(
        name="host_cpu_percent",
        family="host",
        overview=True,
        label="CPU",
        unit="percent",
        scope="host",
        maximum=100.0,
        covers_tick=True,
        help="Share of all the machine's cores that worked since the tick before.",
        read=lambda host: host("cpu_percent"),
        recorded=lambda reading, _static: reading["host"]["cpu_percent"],
    ),
    Metric(
        name="host_cpu_busiest_core_percent",
        family="host",
        label="CPU, busiest core",
        unit="percent",
        scope="host",
        maximum=100.0,
        covers_tick=True,
        help="The core that worked most since the tick before. At 100 % while the others rest, one "
        "thread sets the pace: often the one that launches kernels.",
        read=lambda host: host("busiest_core_percent"),
        recorded=lambda reading, _static: reading["host"].get("busiest_core_percent"),
    ),
    Metric(
        name="host_cpu_limit_cores",
        family="host",
        label="CPU limit",
        unit="cores",
        scope="host",
        kind="limit",
        help="Cores' worth of time that this container, or this process, may use.",
        read=lambda host: host("cpu_limit_cores"),
        recorded=lambda _reading, static: static.get("cpus"),
    ),
    Metric(
        name="host_cpu_used_cores",
        family="host",
        label="CPU, this container",
        unit="cores",
        scope="host",
        per_second=True,
        maximum_metric="host_cpu_limit_cores",
        help="Cores' worth of time that this container, or this session, uses.",
        read=lambda host: host("cgroup_cpu_used_seconds"),
        recorded=lambda reading, _static: reading["host"].get("cgroup_cpu_used_seconds"),
    ),
    Metric(
        name="host_cpu_throttled_ratio",
        family="host",
        label="CPU held back",
        unit="ratio",
        scope="host",
        per_second=True,
        help="Time for which the container's quota held its threads back, per second, summed over "
        "them. Above 0: the container asks for more CPU than it is given.",
        read=lambda host: host("cgroup_cpu_throttled_seconds"),
        recorded=lambda reading, _static: reading["host"].get("cgroup_cpu_throttled_seconds"),
    ),
    Metric(
        name="host_load_count",
        family="host",
        label="Load",
        unit="count",
        scope="host",
        help="Processes that ran or waited, as the mean of a minute.",
        read=lambda host: host("getloadavg")[0],
        recorded=lambda reading, _static: reading["host"].get("load1"),
    ),
)

MEMORY: Final = (
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
    Metric(
        name="host_container_memory_used_bytes",
        family="host",
        label="Container memory",
        unit="bytes",
        scope="host",
        maximum_metric="host_container_memory_limit_bytes",
        help="Memory that this container uses, without what can be dropped at once. At the limit its "
        "processes are killed, without a word in the notebook.",
        read=lambda host: host("cgroup_memory_used_bytes"),
        recorded=lambda reading, _static: reading["host"].get("cgroup_memory_used_bytes"),
    ),
    Metric(
        name="host_container_memory_limit_bytes",
        family="host",
        label="Container memory limit",
        unit="bytes",
        scope="host",
        kind="limit",
        help="Memory that this container may use.",
        read=lambda host: host("cgroup_memory_limit_bytes"),
        recorded=lambda reading, _static: reading["host"].get("cgroup_memory_limit_bytes"),
    ),
    Metric(
        name="host_swap_used_bytes",
        family="host",
        label="Swap",
        unit="bytes",
        scope="host",
        cadence="slow",
        help="Memory moved out to disk. While it grows, everything waits for the disk.",
        read=lambda host: host("swap_used_bytes"),
        recorded=lambda reading, _static: reading["host"].get("swap_used"),
    ),
    Metric(
        name="host_shm_used_bytes",
        family="host",
        label="Shared memory",
        unit="bytes",
        scope="host",
        maximum_metric="host_shm_total_bytes",
        help="/dev/shm, through which DataLoader workers hand over their batches. When it is full, "
        "workers die with a bus error.",
        read=lambda host: host("shm_usage").used,
        recorded=lambda reading, _static: reading["host"].get("shm_used"),
    ),
    Metric(
        name="host_shm_total_bytes",
        family="host",
        label="Shared memory size",
        unit="bytes",
        scope="host",
        kind="limit",
        help="Size of /dev/shm; 64 MiB in a container that was started without --shm-size.",
        read=lambda host: host("shm_usage").total,
        recorded=lambda reading, _static: reading["host"].get("shm_total"),
    ),
)

TRAFFIC: Final = (
    _rate(
        "host_disk_read_bytes_per_second",
        "Disk reads",
        "Data read from all disks. What the page cache holds is not read from them.",
        lambda host: host("disk_io_counters").read_bytes,
        "disk_read_bytes",
    ),
    _rate(
        "host_disk_write_bytes_per_second",
        "Disk writes",
        "Data written to all disks.",
        lambda host: host("disk_io_counters").write_bytes,
        "disk_write_bytes",
    ),
    _rate(
        "host_network_receive_bytes_per_second",
        "Network in",
        "Data received from the network, file systems on the network included.",
        lambda host: host("network_bytes")[0],
        "network_receive_bytes",
    ),
    _rate(
        "host_network_transmit_bytes_per_second",
        "Network out",
        "Data sent to the network.",
        lambda host: host("network_bytes")[1],
        "network_transmit_bytes",
    ),
    Metric(
        name="host_disk_used_bytes",
        family="host",
        label="Disk in use",
        unit="bytes",
        scope="host",
        cadence="slow",
        maximum_metric="host_disk_total_bytes",
        help="The file system that the server's folder lies on.",
        read=lambda host: host("folder_usage").used,
        recorded=lambda reading, _static: reading["host"].get("disk_used"),
    ),
    Metric(
        name="host_disk_total_bytes",
        family="host",
        label="Disk size",
        unit="bytes",
        scope="host",
        kind="limit",
        help="The file system that the server's folder lies on, without what is kept for root.",
        read=lambda host: host("folder_usage").used + host("folder_usage").free,
        recorded=lambda reading, _static: reading["host"].get("disk_total"),
    ),
)

METRICS: Final = (*CPU, *MEMORY, *TRAFFIC)
