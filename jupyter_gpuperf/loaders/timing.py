"""Time a DataLoader: first the start-up of its workers, then blocks of batches that were not prefetched.

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
    """Measure a loader; return its figures and samples.

    Parameters
    ----------
    loader
        Endless, or long enough; it is restarted when it ends.
    parameters
        ``workers``, ``prefetch_factor``, ``batch_size`` (0 when unknown), ``rigorous``, ``time_limit_seconds``.
    progress
        Called with the completed share, from 0 to 1, and a description.
    warn
        Called with a sentence if the result may be inaccurate.
    things
        What a batch contains, in the plural; part of the rate's name.

    Raises
    ------
    BadRequest
        ``data_too_short``.
    """
    starts = [_start_seconds(loader, progress, number) for number in range(START_COUNT)]
    workers, prefetch = parameters["workers"], parameters["prefetch_factor"]
    batches = BatchBlocks(loader, prefetched=1 + workers * prefetch)
    # Each block consists of whole rounds (one batch per worker) and has more batches than are prefetched.
    # Otherwise, too many of its batches may have been loaded during the previous block.
    block_batches = batches.block_length(max(1, workers) * 2 * prefetch)
    rule = StopRule(
        target_ratio=target_ratio(parameters["rigorous"]),
        limit_seconds=parameters["time_limit_seconds"],
        interval_of=mean_interval,
    )

    def report(ratio: float, blocks: Sequence[float]) -> None:
        mean_ms = 1000 * sum(blocks) / len(blocks)
        progress(0.1 + 0.9 * ratio, Message("{ms:.1f} ms per batch so far", ms=mean_ms))

    blocks = rule.run(lambda: batches.seconds_per_batch(block_batches), report)
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
    batches = iter(loader)  # keep a reference: the workers must not end while the time is taken
    if next(batches, END_OF_DATA) is END_OF_DATA:
        raise data_too_short_error(1)
    return time.perf_counter() - began


@dataclass
class BatchBlocks:
    """Times blocks of a loader's batches, after those that were prefetched at the start. Restarts when the data ends.

    Attributes
    ----------
    prefetched
        Number of batches that are not timed after a start.
    iterator
        The loader's current iterator.
    """

    loader: DataLoader[Any]
    prefetched: int

    def __post_init__(self) -> None:
        self._begin()

    def block_length(self, least: int) -> int:
        """Return a block length: ``least``, doubled until a block takes at least 0.1 s or the data has no more batches.

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

    def seconds_per_batch(self, count: int) -> float:
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
        return sum(1 for _ in itertools.islice(self.iterator, count))

    def _begin(self) -> None:
        self.iterator = iter(self.loader)
        self._taken(self.prefetched)  # prefetched batches arrive too fast


def data_too_short_error(needed: int) -> BadRequest:
    """Return the error for data with fewer than ``needed`` batches."""
    return BadRequest(
        "data_too_short",
        "The data has fewer than {count} batches: too few to time.",
        "Use fewer workers, a smaller batch or more data.",
        count=needed,
    )
