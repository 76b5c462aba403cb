"""The recent past, in bounded memory."""

from __future__ import annotations

import math
import threading
from array import array
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.schemas import Columns, Frame, History, Reading, Series

MOST_STEPS: Final = 10_000
"""The longest answer, in steps."""

NAN: Final = math.nan


class Ring:
    """The newest ``capacity`` ticks of one device: a column of times and one per metric.

    A missing reading is kept as NaN; why it was missing is in the frames, not here.
    """

    def __init__(self, capacity: int, metrics: Iterable[str]) -> None:
        self._capacity = capacity
        self._next = 0
        self._times = array("d")
        self._values = {name: array("d") for name in metrics}

    def append(self, time_seconds: float, readings: Mapping[str, Reading]) -> None:
        """Add a tick; the oldest one makes room."""
        self._put(self._times, time_seconds)
        for name, column in self._values.items():
            reading = readings.get(name)
            self._put(column, reading if isinstance(reading, (int, float)) else NAN)
        self._next = (self._next + 1) % self._capacity

    def since(
        self, oldest_seconds: float, metrics: Iterable[str]
    ) -> tuple[array[float], dict[str, array[float]]]:
        """Return copies of the times and columns from ``oldest_seconds`` on, oldest first."""
        times = self._ordered(self._times)
        first = next((i for i, time in enumerate(times) if time >= oldest_seconds), len(times))
        columns = {
            name: self._ordered(self._values[name])[first:]
            for name in metrics
            if name in self._values
        }
        return times[first:], columns

    def _put(self, column: array[float], value: float) -> None:
        if len(column) < self._capacity:
            column.append(value)
        else:
            column[self._next] = value

    def _ordered(self, column: array[float]) -> array[float]:
        if len(column) < self._capacity:
            return column[:]
        return column[self._next :] + column[: self._next]


class HistoryStore:
    """History of all devices and the host; written by the sampler, read from any thread.

    Parameters
    ----------
    seconds
        How far back it reaches.
    shortest_interval_seconds
        The fastest that ticks can come; with ``seconds`` it bounds the memory.
    device_metrics, host_metrics
        The metrics' names.
    """

    def __init__(
        self,
        *,
        seconds: float,
        shortest_interval_seconds: float,
        device_metrics: Sequence[str],
        host_metrics: Sequence[str],
    ) -> None:
        self.seconds = seconds
        self._capacity = max(2, math.ceil(seconds / shortest_interval_seconds))
        self._device_metrics = tuple(device_metrics)
        self._host_metrics = tuple(host_metrics)
        self._lock = threading.Lock()
        self._devices: dict[str, Ring] = {}
        self._host = Ring(self._capacity, self._host_metrics)
        self._newest_seconds = 0.0

    def append(self, frame: Frame) -> None:
        """Keep a frame."""
        with self._lock:
            self._newest_seconds = frame.time_seconds
            self._host.append(frame.time_seconds, frame.host)
            for uuid, readings in frame.devices.items():
                if uuid not in self._devices:
                    self._devices[uuid] = Ring(self._capacity, self._device_metrics)
                self._devices[uuid].append(frame.time_seconds, readings)

    def query(
        self, *, seconds: float, step_seconds: float, metrics: Sequence[str] | None = None
    ) -> History:
        """Return the last ``seconds``, condensed to steps of ``step_seconds``.

        Parameters
        ----------
        metrics
            The names wanted; ``None`` for all.

        Raises
        ------
        BadRequest
            ``unknown_metric``, or ``too_many_steps`` (more than :data:`MOST_STEPS`).
        """
        self._check(seconds, step_seconds, metrics)
        wanted = metrics if metrics is not None else (*self._device_metrics, *self._host_metrics)
        with self._lock:
            oldest_seconds = self._newest_seconds - min(seconds, self.seconds)
            raw = {uuid: ring.since(oldest_seconds, wanted) for uuid, ring in self._devices.items()}
            host = self._host.since(oldest_seconds, wanted)
        return History(
            step_seconds=step_seconds,
            devices={uuid: _condense(*columns, step_seconds) for uuid, columns in raw.items()},
            host=_condense(*host, step_seconds),
        )

    def _check(self, seconds: float, step_seconds: float, metrics: Sequence[str] | None) -> None:
        known = {*self._device_metrics, *self._host_metrics}
        unknown = [name for name in metrics or () if name not in known]
        if unknown:
            raise BadRequest(
                "unknown_metric",
                f"There is no metric {unknown[0]!r}.",
                "GET catalog lists the metrics.",
            )
        if min(seconds, self.seconds) / step_seconds > MOST_STEPS:
            raise BadRequest(
                "too_many_steps",
                f"That would be more than {MOST_STEPS} steps.",
                "Ask for a larger step_seconds or fewer seconds.",
            )


def _condense(
    times: array[float], columns: Mapping[str, array[float]], step_seconds: float
) -> Columns:
    steps = [math.floor(time / step_seconds) for time in times]
    # Steps are runs of equal numbers; where no tick fell there is no step.
    starts = [i for i, step in enumerate(steps) if i == 0 or step != steps[i - 1]]
    bounds = list(pairwise([*starts, len(steps)]))
    return Columns(
        times_seconds=[steps[start] * step_seconds for start in starts],
        metrics={name: _series(column, bounds) for name, column in columns.items()},
    )


def _series(column: array[float], bounds: Sequence[tuple[int, int]]) -> Series:
    lowest: list[float | None] = []
    mean: list[float | None] = []
    highest: list[float | None] = []
    for start, end in bounds:
        values = [value for value in column[start:end] if not math.isnan(value)]
        lowest.append(min(values) if values else None)
        mean.append(math.fsum(values) / len(values) if values else None)
        highest.append(max(values) if values else None)
    return Series(min=lowest, mean=mean, max=highest)
