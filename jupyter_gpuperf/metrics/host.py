"""The host of the devices. The calls are those of psutil, by name, and of ``sources/host.py``.

In a container, its limits count where they are lower than the machine's.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from jupyter_gpuperf.metrics.declaration import Metric

_metric = partial(Metric, family="host", scope="host")
_limit = partial(_metric, kind="limit")
_rate = partial(_metric, per_second=True)

METRICS: Final = (
    # CPU
    _metric(
        "host_cpu_percent",
        "CPU",
        "Share of all the machine's cores that worked since the tick before.",
        lambda host: host("cpu_percent"),
        overview=True,
        covers_tick=True,
    ),
    _metric(
        "host_cpu_busiest_core_percent",
        "CPU, busiest core",
        "The core that worked most since the tick before. At 100 % while the others rest, one "
        "thread sets the pace: often the one that launches kernels.",
        lambda host: host("busiest_core_percent"),
        covers_tick=True,
    ),
    _limit(
        "host_cpu_limit_cores",
        "CPU limit",
        "Cores' worth of time that this container, or this process, may use.",
        lambda host: host("cpu_limit_cores"),
    ),
    _rate(
        "host_cpu_used_cores",
        "CPU, this container",
        "Cores' worth of time that this container, or this session, uses.",
        lambda host: host("cgroup_cpu_used_seconds"),
        maximum_metric="host_cpu_limit_cores",
    ),
    _rate(
        "host_cpu_throttled_ratio",
        "CPU held back",
        "Time for which the container's quota held its threads back, per second, summed over "
        "them. Above 0: the container asks for more CPU than it is given.",
        lambda host: host("cgroup_cpu_throttled_seconds"),
    ),
    _metric(
        "host_load_count",
        "Load",
        "Processes that ran or waited, as the mean of a minute.",
        lambda host: host("getloadavg")[0],
    ),
    # Memory
    _metric(
        "host_memory_used_bytes",
        "Host memory",
        "Memory of the machine that programs can't get without swapping: total minus available.",
        lambda host: host("virtual_memory").total - host("virtual_memory").available,
        overview=True,
        maximum_metric="host_memory_total_bytes",
    ),
    _limit(
        "host_memory_total_bytes",
        "Host memory installed",
        "Memory of the machine.",
        lambda host: host("virtual_memory").total,
    ),
    _metric(
        "host_container_memory_used_bytes",
        "Container memory",
        "Memory that this container uses, without what can be dropped at once. At the limit its "
        "processes are killed, without a word in the notebook.",
        lambda host: host("cgroup_memory_used_bytes"),
        maximum_metric="host_container_memory_limit_bytes",
    ),
    _limit(
        "host_container_memory_limit_bytes",
        "Container memory limit",
        "Memory that this container may use.",
        lambda host: host("cgroup_memory_limit_bytes"),
    ),
    _metric(
        "host_swap_used_bytes",
        "Swap",
        "Memory moved out to disk. While it grows, everything waits for the disk.",
        lambda host: host("swap_used_bytes"),
        cadence="slow",
    ),
    _metric(
        "host_shm_used_bytes",
        "Shared memory",
        "/dev/shm, through which DataLoader workers hand over their batches. When it is full, "
        "workers die with a bus error.",
        lambda host: host("shm_usage").used,
        maximum_metric="host_shm_total_bytes",
    ),
    _limit(
        "host_shm_total_bytes",
        "Shared memory size",
        "Size of /dev/shm; 64 MiB in a container that was started without --shm-size.",
        lambda host: host("shm_usage").total,
    ),
    # Disks and network
    _rate(
        "host_disk_read_bytes_per_second",
        "Disk reads",
        "Data read from all disks. What the page cache holds is not read from them.",
        lambda host: host("disk_io_counters").read_bytes,
    ),
    _rate(
        "host_disk_write_bytes_per_second",
        "Disk writes",
        "Data written to all disks.",
        lambda host: host("disk_io_counters").write_bytes,
    ),
    _rate(
        "host_network_receive_bytes_per_second",
        "Network in",
        "Data received from the network, file systems on the network included.",
        lambda host: host("network_bytes")[0],
    ),
    _rate(
        "host_network_transmit_bytes_per_second",
        "Network out",
        "Data sent to the network.",
        lambda host: host("network_bytes")[1],
    ),
    _metric(
        "host_disk_used_bytes",
        "Disk in use",
        "The file system that the server's folder lies on.",
        lambda host: host("folder_usage").used,
        cadence="slow",
        maximum_metric="host_disk_total_bytes",
    ),
    _limit(
        "host_disk_total_bytes",
        "Disk size",
        "The file system that the server's folder lies on, without what is kept for root.",
        lambda host: host("folder_usage").used + host("folder_usage").free,
    ),
)
