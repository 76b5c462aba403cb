"""Time a DataLoader: the start of its workers separately, then blocks of batches that were not prefetched.

Standard library only at module level.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.measure.statistics import inverse, mean_interval, small_sample_mean
from jupyter_gpuperf.measure.stopping import StopRule, target_ratio
from jupyter_gpuperf.messages import Message

if TYPE_CHECKING:
    from torch.utils.data import DataLoader

Progress = Callable[[float, str], object]
END_OF_DATA: Final = object()
START_COUNT: Final = 4
"""How many times the workers are started to time the start."""
BLOCK_SECONDS: Final = 0.1
"""Shortest block: long compared with the clock's resolution and the scheduler's time slice."""


def measure_loader(
    loader: DataLoader[Any],
    parameters: Mapping[str, Any],
    progress: Progress,
    warn: Callable[[str], object],
    *,
    things: str,
) -> dict[str, Any]:
    """Return the figures and samples of a loader.

    Parameters
    ----------
    loader
        Endless, or long enough; it is restarted when it ends.
    parameters
        ``workers``, ``prefetch_factor``, ``batch_size`` (0 when unknown), ``rigorous``, ``time_limit_seconds``.
    progress
        Called with the completed share and a description.
    warn
        Called with a sentence when the result is in doubt.
    things
        What a batch holds; used in the rate's name.

    Raises
    ------
    BadRequest
        ``data_too_short``.
    """
    starts = [_start_seconds(loader, progress, number) for number in range(START_COUNT)]
    workers, prefetch = parameters["workers"], parameters["prefetch_factor"]
    batches = BatchBlocks(loader, prefetched=1 + workers * prefetch)
    # Whole rounds, longer than all prefetched batches; otherwise blocks borrow from each other.
    block_batches = batches.long_enough(max(1, workers) * 2 * prefetch)
    rule = StopRule(
        target_ratio=target_ratio(parameters["rigorous"]),
        limit_seconds=parameters["time_limit_seconds"],
        interval_of=mean_interval,
    )

    def report(ratio: float, blocks: Sequence[float]) -> None:
        mean_ms = 1000 * sum(blocks) / len(blocks)
        progress(0.1 + 0.9 * ratio, Message("{ms:.1f} ms per batch so far", ms=mean_ms))

    blocks = rule.run(lambda: batches.seconds_each(block_batches), report)
    if doubt := rule.doubt():
        warn(doubt)
    batch = mean_interval(blocks)
    figures = {"batch_seconds": batch, "startup_seconds": small_sample_mean(starts)}
    if parameters["batch_size"]:
        figures[f"{things}_per_second"] = inverse(batch, parameters["batch_size"])
    return {
        "unit": "seconds",
        "figures": figures,
        "samples": {"batch_seconds": blocks, "startup_seconds": starts},
    }


def _start_seconds(loader: DataLoader[Any], progress: Progress, number: int) -> float:
    progress(0.05 + 0.05 * number / START_COUNT, "Timing the start-up of the workers")
    began = time.perf_counter()
    batches = iter(loader)  # keep a reference: the workers must end after the time is taken
    if next(batches, END_OF_DATA) is END_OF_DATA:
        raise data_too_short_error(1)
    return time.perf_counter() - began


@dataclass
class BatchBlocks:
    """The loader's batches in blocks without previously prefetched ones; restarts when the data ends.

    Attributes
    ----------
    take
        Called with each batch, within the timing.
    finish
        Called at the end of each block, within the timing.
    iterator
        The loader's current iterator.
    startup_seconds
        Seconds until the first batch at the last start.
    """

    loader: DataLoader[Any]
    prefetched: int
    take: Callable[[Any], object] = lambda batch: None
    finish: Callable[[], object] = lambda: None
    on_start: Callable[[Any], object] = lambda iterator: None

    def __post_init__(self) -> None:
        self._begin()

    def long_enough(self, least: int) -> int:
        """Return ``least``, doubled until that many batches take long enough or the data has no more.

        Raises
        ------
        BadRequest
            ``data_too_short``.
        """
        count = least
        # Measure again after each doubling: the first batches are slower than the rest.
        while (seconds := self._block_seconds(count)) is not None:
            if seconds >= BLOCK_SECONDS:
                return count
            count *= 2
        if count == least:
            raise data_too_short_error(least + self.prefetched)
        return count // 2

    def seconds_each(self, count: int) -> float:
        """Return the mean seconds per batch over ``count`` consecutive batches.

        Raises
        ------
        BadRequest
            ``data_too_short``: the data has fewer batches than before.
        """
        seconds = self._block_seconds(count)
        if seconds is None:
            raise data_too_short_error(count + self.prefetched)
        return seconds / count

    def _block_seconds(self, count: int) -> float | None:
        for _ in range(2):
            began = time.perf_counter()
            taken = self._taken(count)
            seconds = time.perf_counter() - began
            if taken == count:
                return seconds
            self._begin()  # discard a block that contains a restart
        return None

    def _taken(self, count: int) -> int:
        taken = 0
        for batch in itertools.islice(self.iterator, count):
            self.take(batch)
            taken += 1
        self.finish()
        return taken

    def _begin(self) -> None:
        began = time.perf_counter()
        self.iterator = iter(self.loader)
        self.on_start(self.iterator)
        next(self.iterator, END_OF_DATA)
        self.startup_seconds = time.perf_counter() - began
        self._taken(self.prefetched - 1)  # prefetched batches come too fast


def data_too_short_error(needed: int) -> BadRequest:
    """Return the refusal for data that ends before ``needed`` batches."""
    return BadRequest(
        "data_too_short",
        "The data has fewer than {count} batches: too few to time.",
        "Use fewer workers, a smaller batch or more data.",
        count=needed,
    )
