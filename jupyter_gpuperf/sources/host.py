"""The machine around the devices, through psutil."""

from __future__ import annotations

import importlib
import types
from typing import Any, Final

from jupyter_gpuperf.metrics import Metric
from jupyter_gpuperf.schemas import MissingReason
from jupyter_gpuperf.sources.reading import OncePerTick, read_metrics
from jupyter_gpuperf.sources.source import Readings

SHORTEST_CPU_SECONDS: Final = 0.05
"""CPU counters tick in hundredths of a second: a share over less than this is noise."""


class NotYet(Exception):
    """A rate was asked for before its second sample."""


class HostSource:
    """Reads the host's metrics; used by every source that samples this machine."""

    def __init__(self, metrics: tuple[Metric, ...], host: types.ModuleType | None = None) -> None:
        self._metrics = tuple(metric for metric in metrics if metric.scope == "host")
        self._host = host  # psutil; loaded when it is first read, in the sampler's thread
        self._cpu_before: tuple[float, float] | None = None
        self._cpu_percent: float | None = None
        self._cores_before: list[tuple[float, float]] = []
        self._cores_percent: list[float] = []

    def read(self) -> Readings:
        """Read every host metric once."""
        calls = OncePerTick(self._call)
        return read_metrics(self._metrics, lambda metric: metric.read(calls), _reason_of)

    def read_cores(self) -> list[float]:
        """Return the share of each core that worked since the call before, in percent."""
        if self._host is None:
            self._host = importlib.import_module("psutil")
        now = [_cpu_seconds(times) for times in self._host.cpu_times(percpu=True)]
        if len(now) != len(self._cores_before):  # the first call, or a core came or went
            self._cores_before = now
            return []
        if now and now[0][1] - self._cores_before[0][1] >= SHORTEST_CPU_SECONDS:
            pairs = zip(now, self._cores_before, strict=True)
            self._cores_percent = [_share_percent(after, before) for after, before in pairs]
            self._cores_before = now
        return self._cores_percent

    def _call(self, function: str, *arguments: int) -> Any:  # noqa: ANN401  (psutil's own types)
        if self._host is None:
            self._host = importlib.import_module("psutil")
        if function == "cpu_percent":
            return self._busy_percent(self._host.cpu_times())
        return getattr(self._host, function)(*arguments)

    def _busy_percent(self, times: Any) -> float:  # noqa: ANN401
        # Not psutil.cpu_percent: it remembers its last call per process or thread, so another
        # extension's call in between would shorten our interval.
        now = _cpu_seconds(times)
        if self._cpu_before is None:
            self._cpu_before = now
        if now[1] - self._cpu_before[1] >= SHORTEST_CPU_SECONDS:
            self._cpu_percent = _share_percent(now, self._cpu_before)
            self._cpu_before = now
        if self._cpu_percent is None:
            raise NotYet
        return self._cpu_percent


def _cpu_seconds(times: Any) -> tuple[float, float]:  # noqa: ANN401  (psutil's named tuple)
    # Guest time is already counted in user and nice; waiting for a disk is not work.
    counted = {k: v for k, v in times._asdict().items() if k not in ("guest", "guest_nice")}
    total = sum(counted.values())
    return total - counted.get("idle", 0.0) - counted.get("iowait", 0.0), total


def _share_percent(after: tuple[float, float], before: tuple[float, float]) -> float:
    elapsed_seconds = after[1] - before[1]
    share = (after[0] - before[0]) / elapsed_seconds if elapsed_seconds > 0 else 0.0
    return round(100 * min(max(share, 0.0), 1.0), 1)


def _reason_of(error: Exception) -> MissingReason:
    if isinstance(error, NotYet):
        return "not_yet"
    if isinstance(error, (AttributeError, NotImplementedError)):
        return "not_supported"  # psutil leaves out what a platform lacks
    if isinstance(error, PermissionError) or type(error).__name__ == "AccessDenied":  # psutil's
        return "no_permission"
    return "driver_error"
