"""The history at several resolutions: the older, the coarser."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from msgspec import Struct

from jupyter_gpuperf.sampling.ring import Ring, RingDump
from jupyter_gpuperf.schemas import Reading

LOWEST, MEAN, HIGHEST = "<", "=", ">"
"""Suffixes of a metric's name, for the columns of a condensed entry."""


class TierSize(NamedTuple):
    """A resolution, and how far back it reaches."""

    step_seconds: float
    seconds: float


COARSE_TIERS: Final = (TierSize(5.0, 7200.0), TierSize(60.0, 86_400.0))
"""Resolutions beside the full rate: two hours in steps of 5 s, and a day in steps of a minute."""


class HistoryPiece(NamedTuple):
    """A part of the history at one resolution: times, and the minimum, mean and maximum of each metric."""

    times_seconds: Sequence[float]
    metrics: Mapping[str, tuple[Sequence[float], Sequence[float], Sequence[float]]]

    def since(self, time_seconds: float) -> HistoryPiece:
        """Return the part from this time on."""
        first = bisect_left(self.times_seconds, time_seconds)
        metrics = {
            name: (low[first:], mean[first:], high[first:])
            for name, (low, mean, high) in self.metrics.items()
        }
        return HistoryPiece(self.times_seconds[first:], metrics)


EMPTY_DUMP: Final = RingDump(times=b"", columns={}, dropped=True)
"""Takes the place of the ticks when only the coarse steps were saved."""


class CoarseTier:
    """One coarse resolution of one device.

    Ticks are added one by one; a completed step is stored with its minimum, mean and maximum.
    """

    def __init__(self, size: TierSize) -> None:
        self.size = size
        self.ring = Ring(math.ceil(size.seconds / size.step_seconds))
        self._step = -math.inf
        # Metric → count, sum, minimum and maximum of the current step.
        self._running: dict[str, list[float]] = {}

    def add(self, time_seconds: float, values: Mapping[str, float]) -> None:
        """Add a tick."""
        step = math.floor(time_seconds / self.size.step_seconds)
        if step != self._step:
            self.flush()
            self._step = step
        running = self._running
        for name, value in values.items():
            known = running.get(name)
            if known is None:
                running[name] = [1.0, value, value, value]
                continue
            known[0] += 1.0
            known[1] += value
            if value < known[2]:
                known[2] = value
            elif value > known[3]:
                known[3] = value

    def flush(self) -> None:
        """Store the current step with the ticks so far."""
        if not self._running:
            return
        entry: dict[str, float] = {}
        for name, (count, total, least, most) in self._running.items():
            entry |= {name + MEAN: total / count, name + LOWEST: least, name + HIGHEST: most}
        self.ring.append(self._step * self.size.step_seconds, entry)
        self._running = {}

    def restore(self, dump: RingDump) -> None:
        """Replace the stored steps with those of a dump; the step after them becomes the current one."""
        self.ring.restore(dump)
        self._running = {}
        newest = self.ring.newest_seconds()
        self._step = newest if math.isinf(newest) else round(newest / self.size.step_seconds) + 1

    @property
    def current_step_seconds(self) -> float:
        """Start time of the current step; minus infinity before the first tick."""
        return self._step * self.size.step_seconds

    def end_of_step(self, time_seconds: float) -> float:
        """Return the end of the step that contains a time; a time at the start of a step is returned unchanged."""
        if math.isinf(time_seconds):
            return time_seconds
        return math.ceil(time_seconds / self.size.step_seconds) * self.size.step_seconds

    def piece(self, oldest: float, newest: float, names: Iterable[str]) -> HistoryPiece:
        """Return the stored steps with ``oldest <= time < newest``."""
        names = list(names)
        wanted = [name + kind for name in names for kind in (LOWEST, MEAN, HIGHEST)]
        times, columns = self.ring.between(oldest, newest, wanted)
        metrics = {
            name: (columns[name + LOWEST], columns[name + MEAN], columns[name + HIGHEST])
            for name in names
            if name + MEAN in columns
        }
        return HistoryPiece(times, metrics)


class TieredHistoryDump(Struct, frozen=True, kw_only=True):
    """All resolutions of one device."""

    full: RingDump | None
    coarse: list[RingDump]


class TieredHistory:
    """All resolutions of one device, or of the host."""

    def __init__(self, capacity: int, coarse: Sequence[TierSize]) -> None:
        self._full = Ring(capacity)
        self._coarse = [CoarseTier(size) for size in coarse]

    @property
    def newest_seconds(self) -> float:
        """Time of the latest tick; minus infinity without any."""
        coarse = (tier.ring.newest_seconds() for tier in self._coarse)
        return max(self._full.newest_seconds(), *coarse)

    def append(self, time_seconds: float, readings: Mapping[str, Reading]) -> None:
        """Add a tick. If its machine's clock was set back, all entries from the tick's time on are dropped."""
        if time_seconds < self._full.newest_seconds():
            self.forget_from(time_seconds)
        values = {name: each for name, each in readings.items() if isinstance(each, (int, float))}
        self._full.append(time_seconds, values)
        for tier in self._coarse:
            tier.add(time_seconds, values)

    def pieces(
        self, oldest: float, step_seconds: float, names: Sequence[str]
    ) -> Iterator[HistoryPiece]:
        """Yield the history from ``oldest`` on, oldest first, each part at the finest stored resolution.

        A resolution as coarse as ``step_seconds`` is enough, and cheaper than the full rate. Every tick is in
        exactly one part.
        """
        enough = [tier for tier in self._coarse if tier.size.step_seconds <= step_seconds]
        coarse = self._coarse[self._coarse.index(enough[-1]) :] if enough else self._coarse
        # The current step exists only at full rate.
        since = coarse[0].current_step_seconds if enough else self._full.complete_from_seconds()
        parts = [self.full_rate(max(oldest, since), names)]
        for tier in coarse:
            # If the finer tier has only part of a step, take the step from this tier, unless it is the current step.
            begin = min(tier.end_of_step(since), tier.current_step_seconds)
            parts[-1] = parts[-1].since(begin)
            parts.append(tier.piece(oldest, begin, names))
            since = tier.ring.complete_from_seconds()
        yield from reversed(parts)

    def full_rate(self, oldest: float, names: Sequence[str]) -> HistoryPiece:
        """Return the stored ticks from ``oldest`` on."""
        times, columns = self._full.between(oldest, math.inf, names)
        return HistoryPiece(times, {name: (each, each, each) for name, each in columns.items()})

    def dump(self, *, full: bool) -> TieredHistoryDump:
        """Return a copy of all completed steps, and with ``full`` of every tick, too."""
        return TieredHistoryDump(
            full=self._full.dump() if full else None,
            coarse=[tier.ring.dump() for tier in self._coarse],
        )

    def restore(self, dump: TieredHistoryDump) -> None:
        """Replace everything with a dump; resolutions that are missing from the dump become empty.

        Raises
        ------
        ValueError
            The dump is inconsistent.
        """
        self._full.restore(dump.full or EMPTY_DUMP)
        for tier, kept in zip(self._coarse, dump.coarse, strict=False):
            tier.restore(kept)
            # The step that was current exists only as ticks: without them it would become a gap.
            for time_seconds, values in self._full.entries(tier.current_step_seconds):
                tier.add(time_seconds, values)

    def forget_from(self, time_seconds: float) -> None:
        """Drop everything from this time on: the clock was set back."""
        self._full.forget_from(time_seconds)
        for tier in self._coarse:
            tier.flush()
            tier.ring.forget_from(time_seconds)
