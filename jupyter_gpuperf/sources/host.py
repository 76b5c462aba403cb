"""Read the host's metrics with psutil, and from the control group's files."""

from __future__ import annotations

import os
import time
import types
from collections.abc import Callable, Sequence
from typing import Any, Final

from jupyter_gpuperf import cgroup
from jupyter_gpuperf.measure.resources import usable_cpus
from jupyter_gpuperf.metrics import Metric
from jupyter_gpuperf.schemas import MissingReason
from jupyter_gpuperf.sources.metric_reader import MetricReader
from jupyter_gpuperf.sources.rates import NoSampleYet

SHORTEST_CPU_SECONDS: Final = 0.05
"""Shortest time for a CPU share. The counters advance by 10 ms, so a share over a shorter time would be noise."""

SHARED_MEMORY: Final = "/dev/shm"


class HostReader:
    """Reads the host's metrics, for all sources that sample this machine.

    Parameters
    ----------
    module
        psutil, or a stand-in for it.
    """

    def __init__(self, metrics: tuple[Metric, ...], module: types.ModuleType | None = None) -> None:
        metrics = tuple(metric for metric in metrics if metric.scope == "host")
        self.read = MetricReader(metrics, self._call, _reason_of, time.monotonic).read
        self._module = module  # psutil; imported at the first read, in the sampler's thread
        self._whole, self._cores = _BusyShares(), _BusyShares()
        self._functions: dict[str, Callable[[], Any]] = {
            "cpu_percent": lambda: _highest(self._whole.percent([self._psutil.cpu_times()])),
            "busiest_core_percent": lambda: _highest(self.read_cores()),
            "cpu_limit_cores": lambda: float(usable_cpus()),
            "network_bytes": self._network_bytes,
            "swap_used_bytes": lambda: self._psutil.swap_memory().used,
            "shm_usage": lambda: self._psutil.disk_usage(SHARED_MEMORY),
            "folder_usage": lambda: self._psutil.disk_usage(os.getcwd()),
            "cgroup_cpu_used_seconds": cgroup.cpu_used_seconds,
            "cgroup_cpu_throttled_seconds": cgroup.cpu_throttled_seconds,
            "cgroup_memory_used_bytes": _container_memory_bytes,
            "cgroup_memory_limit_bytes": cgroup.memory_limit_bytes,
        }

    def read_cores(self) -> list[float]:
        """Return the busy share of each core since the last call, in percent; an empty list if it is unknown."""
        try:
            return self._cores.percent(self._psutil.cpu_times(percpu=True))
        except Exception:  # noqa: BLE001  (errors differ by platform; there is then no list of cores)
            return []

    @property
    def _psutil(self) -> Any:
        if self._module is None:
            import psutil

            self._module = psutil
        return self._module

    def _call(self, function: str, *arguments: int) -> Any:  # returns psutil's types
        if function in self._functions:
            return self._functions[function]()
        return getattr(self._psutil, function)(*arguments)

    def _network_bytes(self) -> tuple[int, int]:
        # Leave out the loopback interface: messages between server and kernel are no network traffic.
        cards = self._psutil.net_io_counters(pernic=True)
        outside = [card for name, card in cards.items() if not name.startswith("lo")]
        return sum(card.bytes_recv for card in outside), sum(card.bytes_sent for card in outside)


class _BusyShares:
    """Computes the busy share of CPU cores between two readings.

    ``psutil.cpu_percent`` is not used: it measures since its last call in this process or thread, and another extension
    may have made that call.
    """

    def __init__(self) -> None:
        self._before: list[tuple[float, float]] = []
        self._percent: list[float] = []

    def percent(self, times: Sequence[Any]) -> list[float]:
        """Return the busy share of each core in percent; empty at the first reading, and if their number changed."""
        now = [_cpu_seconds(each) for each in times]
        if len(now) != len(self._before):
            self._before, self._percent = now, []
        elif now and now[0][1] - self._before[0][1] >= SHORTEST_CPU_SECONDS:
            pairs = zip(now, self._before, strict=True)
            self._percent = [_share_percent(after, before) for after, before in pairs]
            self._before = now
        return self._percent


def _container_memory_bytes() -> int | None:
    # Without a limit, the group is the whole session or machine: its memory use would be no new information.
    return None if cgroup.memory_limit_bytes() is None else cgroup.memory_used_bytes()


def _highest(shares: list[float]) -> float:
    if not shares:
        raise NoSampleYet
    return max(shares)


def _cpu_seconds(times: Any) -> tuple[float, float]:  # times: psutil's named tuple
    # Leave out guest times, which user and nice already include. iowait is idle time, too.
    counted = {k: v for k, v in times._asdict().items() if k not in ("guest", "guest_nice")}
    total = sum(counted.values())
    return total - counted.get("idle", 0.0) - counted.get("iowait", 0.0), total


def _share_percent(after: tuple[float, float], before: tuple[float, float]) -> float:
    elapsed_seconds = after[1] - before[1]
    share = (after[0] - before[0]) / elapsed_seconds if elapsed_seconds > 0 else 0.0
    return round(100 * min(max(share, 0.0), 1.0), 1)


def _reason_of(error: Exception) -> MissingReason:
    if isinstance(error, (AttributeError, NotImplementedError, FileNotFoundError)):
        return "not_supported"  # psutil has no attribute for an unsupported function
    if isinstance(error, PermissionError) or type(error).__name__ == "AccessDenied":  # psutil's
        return "no_permission"
    return "driver_error"
