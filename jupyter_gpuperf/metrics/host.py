"""Metrics of the host of the devices. The called functions are those of psutil and of ``sources/host.py``.

In a container, the limits of the container apply where they are lower than those of the host.
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
        "Busy share of all cores of the host since the last tick.",
        lambda host: host("cpu_percent"),
        overview=True,
        covers_tick=True,
    ),
    _metric(
        "host_cpu_busiest_core_percent",
        "CPU, busiest core",
        "The busiest core. At 100 % with other cores idle: one thread, often launching kernels, is the limit.",
        lambda host: host("busiest_core_percent"),
        covers_tick=True,
    ),
    _limit(
        "host_cpu_limit_cores",
        "CPU limit",
        "CPU cores that this container or process may use.",
        lambda host: host("cpu_limit_cores"),
    ),
    _rate(
        "host_cpu_used_cores",
        "CPU, this container",
        "CPU cores that this container or session uses.",
        lambda host: host("cgroup_cpu_used_seconds"),
        maximum_metric="host_cpu_limit_cores",
    ),
    _rate(
        "host_cpu_throttled_ratio",
        "CPU throttled",
        "Time per second that the CPU quota paused threads, summed over them. Above 0: too little CPU.",
        lambda host: host("cgroup_cpu_throttled_seconds"),
    ),
    _metric(
        "host_load_count",
        "Load",
        "Processes running or waiting, averaged over a minute.",
        lambda host: host("getloadavg")[0],
    ),
    # Memory
    _metric(
        "host_memory_used_bytes",
        "Host memory",
        "Used memory of the host: total minus available.",
        lambda host: host("virtual_memory").total - host("virtual_memory").available,
        overview=True,
        maximum_metric="host_memory_total_bytes",
    ),
    _limit(
        "host_memory_total_bytes",
        "Host memory, total",
        "Installed memory of the host.",
        lambda host: host("virtual_memory").total,
    ),
    _metric(
        "host_container_memory_used_bytes",
        "Container memory",
        "Used memory of this container, without caches. At the limit, processes are killed without a message.",
        lambda host: host("cgroup_memory_used_bytes"),
        maximum_metric="host_container_memory_limit_bytes",
    ),
    _limit(
        "host_container_memory_limit_bytes",
        "Container memory limit",
        "Maximum memory of this container.",
        lambda host: host("cgroup_memory_limit_bytes"),
    ),
    _metric(
        "host_swap_used_bytes",
        "Swap",
        "Memory moved to disk. While it grows, everything is slow.",
        lambda host: host("swap_used_bytes"),
        cadence="slow",
    ),
    _metric(
        "host_shm_used_bytes",
        "Shared memory",
        "/dev/shm, used by DataLoader workers to pass batches. When full, they crash with a bus error.",
        lambda host: host("shm_usage").used,
        maximum_metric="host_shm_total_bytes",
    ),
    _limit(
        "host_shm_total_bytes",
        "Shared memory size",
        "Size of /dev/shm; 64 MiB in containers started without --shm-size.",
        lambda host: host("shm_usage").total,
    ),
    # Disks and network
    _rate(
        "host_disk_read_bytes_per_second",
        "Disk reads",
        "Data read from all disks, without reads from the page cache.",
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
        "Data received over the network, including network file systems.",
        lambda host: host("network_bytes")[0],
    ),
    _rate(
        "host_network_transmit_bytes_per_second",
        "Network out",
        "Data sent over the network.",
        lambda host: host("network_bytes")[1],
    ),
    _metric(
        "host_disk_used_bytes",
        "Disk used",
        "Used space of the file system with the server's folder.",
        lambda host: host("folder_usage").used,
        cadence="slow",
        maximum_metric="host_disk_total_bytes",
    ),
    _limit(
        "host_disk_total_bytes",
        "Disk size",
        "Size of the file system with the server's folder, without space reserved for root.",
        lambda host: host("folder_usage").used + host("folder_usage").free,
    ),
)
