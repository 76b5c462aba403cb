"""The history of the readings, in bounded memory."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from statistics import fmean
from typing import Final

from msgspec import Struct

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.metrics import Metric
from jupyter_gpuperf.sampling.ring import NAN
from jupyter_gpuperf.sampling.tiers import (
    COARSE_TIERS,
    HistoryPiece,
    TieredHistory,
    TieredHistoryDump,
    TierSize,
)
from jupyter_gpuperf.schemas import SHORTEST_INTERVAL_MS, Columns, Frame, History, Series

THIS_MACHINE: Final = ""
"""Key of the server's own machine among the hosts."""

MOST_STEPS: Final = 10_000
"""Maximum number of steps in an answer."""


class HistoryDump(Struct, frozen=True, kw_only=True):
    """A history, as saved to a file."""

    newest_seconds: float
    steps_seconds: list[float]
    devices: dict[str, TieredHistoryDump]
    host: TieredHistoryDump
    hosts: dict[str, TieredHistoryDump] = {}


@dataclass(eq=False, kw_only=True)
class HistoryStore:
    """History of all devices and the host. The sampler writes it; any thread may read it.

    Parameters
    ----------
    seconds
        How far back the full rate reaches.
    coarse
        The coarser resolutions, which reach further.
    shortest_interval_seconds
        The shortest time between ticks; with ``seconds`` it bounds the memory.
    device_metrics, host_metrics
        The metrics' names.
    """

    seconds: float
    shortest_interval_seconds: float
    device_metrics: Sequence[str]
    host_metrics: Sequence[str]
    coarse: Sequence[TierSize] = COARSE_TIERS

    def __post_init__(self) -> None:
        self.reach_seconds = max([self.seconds, *(size.seconds for size in self.coarse)])
        capacity = max(2, math.ceil(self.seconds / self.shortest_interval_seconds))
        self._new_track = partial(TieredHistory, capacity, self.coarse)
        self._lock = threading.Lock()
        self._devices: dict[str, TieredHistory] = {}
        self._hosts = {THIS_MACHINE: self._new_track()}
        self._newest_seconds = 0.0

    def append(self, frame: Frame, now: float | None = None) -> None:
        """Store a frame.

        If a clock was set back, entries later than the frame are dropped: times never go backwards in an answer.

        Parameters
        ----------
        now
            The server's time, if the frame's time comes from another machine's clock.
        """
        now = frame.time_seconds if now is None else now
        with self._lock:
            if now < self._newest_seconds:
                for track in (*self._hosts.values(), *self._devices.values()):
                    track.forget_from(now)
            self._newest_seconds = now
            hosts = {THIS_MACHINE: frame.host, **frame.hosts} if frame.host else frame.hosts
            for tracks, latest in ((self._devices, frame.devices), (self._hosts, hosts)):
                for name, readings in latest.items():
                    if name not in tracks:
                        self._forget_gone(tracks, now)
                        tracks[name] = self._new_track()
                    tracks[name].append(frame.time_seconds, readings)

    def query(
        self,
        *,
        seconds: float,
        step_seconds: float,
        metrics: Sequence[str] | None = None,
        uuids: Container[str] | None = None,
    ) -> History:
        """Return the last ``seconds``, condensed to steps of ``step_seconds``.

        Parameters
        ----------
        metrics
            The names to return; ``None`` for all.
        uuids
            The devices to return; ``None`` for all.

        Raises
        ------
        BadRequest
            ``unknown_metric``, or ``too_many_steps`` (more than :data:`MOST_STEPS`).
        """
        self._check(seconds, step_seconds, metrics)
        of_device, of_host = (
            [name for name in names if metrics is None or name in metrics]
            for names in (self.device_metrics, self.host_metrics)
        )
        with self._lock:
            oldest = self._newest_seconds - min(seconds, self.reach_seconds)
            tracks_of_devices = {
                uuid: track
                for uuid, track in self._devices.items()
                if uuids is None or uuid in uuids
            }
            pieces = [
                {key: [*each.pieces(oldest, step_seconds, names)] for key, each in tracks.items()}
                for tracks, names in ((tracks_of_devices, of_device), (self._hosts, of_host))
            ]
        devices, hosts = (
            {key: columns_of(each, names, step_seconds) for key, each in parts.items()}
            for parts, names in zip(pieces, (of_device, of_host), strict=True)
        )
        here = hosts.pop(THIS_MACHINE)
        return History(step_seconds=step_seconds, devices=devices, host=here, hosts=hosts)

    def has_device(self, uuid: str) -> bool:
        """Return whether there are readings of a device."""
        return uuid in self._devices

    def recent(self, seconds: float) -> tuple[dict[str, HistoryPiece], HistoryPiece]:
        """Return copies of the last ``seconds`` at full rate: for each device, and for the host.

        Values that are missing from a tick are NaN. Used to detect patterns over time.
        """
        with self._lock:
            oldest = self._newest_seconds - seconds
            devices = {
                uuid: track.full_rate(oldest, self.device_metrics)
                for uuid, track in self._devices.items()
            }
            return devices, self._hosts[THIS_MACHINE].full_rate(oldest, self.host_metrics)

    def dump(self, *, full: bool) -> HistoryDump:
        """Return a copy of the history: the coarse steps, and with ``full`` every tick, too."""
        with self._lock:
            hosts = {name: track.dump(full=full) for name, track in self._hosts.items()}
            return HistoryDump(
                newest_seconds=self._newest_seconds,
                steps_seconds=[size.step_seconds for size in self.coarse],
                devices={uuid: track.dump(full=full) for uuid, track in self._devices.items()},
                host=hosts.pop(THIS_MACHINE),
                hosts=hosts,
            )

    def prepare_restore(self, dump: HistoryDump) -> Callable[[], None]:
        """Return a function that replaces the history with a dump; nothing changes until it is called.

        Raises
        ------
        ValueError
            The dump is inconsistent, or was recorded at other resolutions.
        """
        if dump.steps_seconds != [size.step_seconds for size in self.coarse]:
            raise ValueError("other resolutions")
        devices, hosts = (
            {name: self._restored(each) for name, each in dumps.items()}
            for dumps in (dump.devices, {THIS_MACHINE: dump.host, **dump.hosts})
        )

        def take() -> None:
            with self._lock:
                self._devices, self._hosts = devices, hosts
                self._newest_seconds = dump.newest_seconds

        return take

    def _forget_gone(self, tracks: dict[str, TieredHistory], now: float) -> None:
        # Drop devices and hosts whose whole history no answer reaches any more: clusters have new ones every day.
        oldest = now - self.reach_seconds
        for name in [name for name, each in tracks.items() if each.newest_seconds < oldest]:
            if name != THIS_MACHINE:
                del tracks[name]

    def _restored(self, dump: TieredHistoryDump) -> TieredHistory:
        track = self._new_track()
        track.restore(dump)
        return track

    def _check(self, seconds: float, step_seconds: float, metrics: Sequence[str] | None) -> None:
        known = {*self.device_metrics, *self.host_metrics}
        if unknown := [name for name in metrics or () if name not in known]:
            message = "The metric {name!r} has no history."
            hint = "GET catalog lists the metrics. Metrics that are limits, such as the power limit, have no history."
            raise BadRequest("unknown_metric", message, hint, name=unknown[0])
        if min(seconds, self.reach_seconds) / step_seconds > MOST_STEPS:
            hint = "Increase step_seconds or reduce seconds."
            raise BadRequest("too_many_steps", "More than {limit} steps.", hint, limit=MOST_STEPS)


def columns_of(
    pieces: Sequence[HistoryPiece], names: Sequence[str], step_seconds: float
) -> Columns:
    """Return the pieces as one table, condensed to steps of ``step_seconds``."""
    times = [time for piece in pieces for time in piece.times_seconds]
    steps = [math.floor(time / step_seconds) for time in times]
    # Ticks with the same step number form a step. Times without ticks have no step.
    starts = [i for i, step in enumerate(steps) if i == 0 or step != steps[i - 1]]
    bounds = list(pairwise([*starts, len(steps)]))
    return Columns(
        times_seconds=[steps[start] * step_seconds for start in starts],
        metrics={name: _series(pieces, name, bounds) for name in names},
    )


def _series(pieces: Sequence[HistoryPiece], name: str, bounds: Sequence[tuple[int, int]]) -> Series:
    lowest, mean, highest = (_joined(pieces, name, place) for place in range(3))
    return Series(
        min=[_of(min, lowest[start:end]) for start, end in bounds],
        mean=[_of(fmean, mean[start:end]) for start, end in bounds],
        max=[_of(max, highest[start:end]) for start, end in bounds],
    )


def _joined(pieces: Sequence[HistoryPiece], name: str, place: int) -> list[float]:
    joined: list[float] = []
    for piece in pieces:
        columns = piece.metrics.get(name)
        joined += [NAN] * len(piece.times_seconds) if columns is None else columns[place]
    return joined


def _of(statistic: Callable[[Sequence[float]], float], values: Sequence[float]) -> float | None:
    known = [value for value in values if not math.isnan(value)]
    return statistic(known) if known else None


def history_of(metrics: Sequence[Metric], seconds: float) -> HistoryStore:
    """Return an empty history for these metrics that reaches back ``seconds`` at the full rate."""
    changing = [metric for metric in metrics if metric.kind != "limit"]  # limits need no history
    return HistoryStore(
        seconds=seconds,
        shortest_interval_seconds=SHORTEST_INTERVAL_MS / 1000,
        device_metrics=[metric.name for metric in changing if metric.scope == "device"],
        host_metrics=[metric.name for metric in changing if metric.scope == "host"],
    )
