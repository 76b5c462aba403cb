"""Run larger and larger batches until something limits them, and predict each from those before."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final

from jupyter_gpuperf.batch_sizes.attempt import Attempt, StepRunner
from jupyter_gpuperf.batch_sizes.memory_law import MemoryLaw, fit_law
from jupyter_gpuperf.batch_sizes.next_size import FIRST_SHARE, Sizes
from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.measure.resources import available_memory_bytes
from jupyter_gpuperf.schemas import FitLimit
from jupyter_gpuperf.tuning.time_limit import Countdown, TimeIsUp

TIMING_SHARE: Final = 0.35
"""Share of the time that is kept for timing the sizes in turn."""
ITEMS_SHARE: Final = 0.1
"""Share of the remaining time for loading the items of a size."""
PACE_SHARE: Final = 0.02
"""Share of the whole time for timing the steps of a size."""
HOST_SHARE: Final = 0.5
"""Share of the free host memory that a batch, or a step on the CPU, may take."""
COPIES: Final = 3
"""How often a batch is in host memory: its items, the batch, and its pinned copy."""


class Climb:
    """The batch sizes that are run, one after the other.

    Parameters
    ----------
    margin_ratio
        The share of the memory that must stay free.
    report
        Called with a size before it is run.

    Attributes
    ----------
    attempts
        What was run, in this order.
    limited_by
        Why the last size is not followed by a larger one.
    """

    def __init__(
        self,
        runner: StepRunner,
        clock: Countdown,
        margin_ratio: float,
        budget_seconds: float,
        report: Callable[[int], object],
    ) -> None:
        self._runner, self._clock, self._report = runner, clock, report
        self._margin_ratio, self._budget_seconds = margin_ratio, budget_seconds
        self._own_size = runner.batches.own_size
        self._sizes = Sizes(most=runner.batches.item_count)
        self.attempts: list[Attempt] = []
        self.limited_by: FitLimit = "time"

    def run(self) -> None:
        """Run sizes from a quarter of the loader's own on.

        Raises
        ------
        GpuPerfError
            ``step_failed``: the step raised an exception with the loader's own batch size.
        """
        own = self._own_size
        for size in dict.fromkeys((max(1, own // FIRST_SHARE), max(1, own // 2), own)):
            if not self._attempt(size):
                return
            if self._sizes.failed:
                break
        following = self._next()
        while following is not None and self._attempt(following):
            following = self._next()

    @property
    def device(self) -> str:
        """The device whose memory is measured; ``cpu`` if none is."""
        return self._runner.meter.device

    @property
    def steps_per_update(self) -> int | None:
        """Steps until an optimizer works; ``None`` if none was seen."""
        return self._runner.steps_per_update

    @property
    def law(self) -> MemoryLaw | None:
        """The law of the sizes that ran."""
        ran = [each for each in self.attempts if each.runs]
        names = set.intersection(*(set(each.phase_bytes) for each in ran)) if ran else set()
        return fit_law(
            {name: [(each.size, each.phase_bytes[name]) for each in ran] for name in sorted(names)}
        )

    def needed_bytes(self, size: int) -> float | None:
        """Return what torch will reserve at a size: the predicted peak, and what is lost to fragmentation."""
        law = self.law
        return None if law is None else law.at(size) * self._overhead()

    @property
    def limit_bytes(self) -> float | None:
        """What torch could reserve at most, the last time that it was read."""
        return self.attempts[-1].limit_bytes if self.attempts else None

    def fits(self, attempt: Attempt) -> bool:
        """Return whether a size ran and left the margin free."""
        free = attempt.free_ratio
        return attempt.runs and (free is None or free >= self._margin_ratio)

    def largest(self) -> Attempt | None:
        """Return the largest size that ran and left the margin free."""
        return max(filter(self.fits, self.attempts), key=lambda each: each.size, default=None)

    def _wanted(self) -> int | None:
        law, limit = self.law, self.limit_bytes
        if law is None or limit is None:
            return None
        return law.largest_within((1 - self._margin_ratio) * limit / self._overhead())

    def _overhead(self) -> float:
        """Return what torch reserved at the peak of the largest size, relative to what was allocated."""
        top = max((each for each in self.attempts if each.runs), key=lambda each: each.size)
        peak, reserved = top.peak_bytes, top.reserved_bytes
        return max(1.0, reserved / peak) if peak and reserved else 1.0

    def _next(self) -> int | None:
        """Return the next size, or ``None`` and set what limits it."""
        wanted, sizes = self._wanted(), self._sizes
        if not self._runner.meter.measures and sizes.is_flat:
            self.limited_by = "speed"
            return None
        size = sizes.next(wanted)
        if size is None:
            at_end = sizes.most is not None and max(sizes.rates, default=0) >= sizes.most
            self.limited_by = "items" if at_end and not sizes.failed else "memory"
            return None
        if not self._fits_on_host(size):
            self.limited_by = "host_memory"
            return None
        last = self.attempts[-1]
        expected = last.seconds * max(1.0, size / last.size)
        if expected > self._clock.left() - TIMING_SHARE * self._budget_seconds:
            self.limited_by = "time"
            return None
        return size

    def _attempt(self, size: int) -> bool:
        """Run a size; return whether to go on."""
        law, left = self.law, self._clock.left()
        # What hangs may not take the time for timing the sizes that ran.
        kept = TIMING_SHARE * self._budget_seconds if self._sizes.rates else 0.0
        self._report(size)
        try:
            with self._clock.alarm.within(max(0.1, left - kept)):
                attempt = self._runner.attempt(
                    size,
                    items_seconds=ITEMS_SHARE * left,
                    pace_seconds=PACE_SHARE * self._budget_seconds,
                )
        except TimeIsUp:
            self.limited_by = "time"
            return False
        attempt.most_rss_bytes = most_rss_bytes()
        attempt.predicted_bytes = None if law is None else law.at(size)
        self.attempts.append(attempt)
        if attempt.runs:
            self._sizes.rates[size] = size / (attempt.step_seconds or 1.0)
        elif attempt.out_of_memory:
            self._sizes.failed.add(size)
        elif size == self._own_size:
            message = "With a batch of {size}, the step raised {error}."
            hint = "It is called with a batch as the loader returns it."
            named = {"size": size, "error": attempt.failure}
            raise GpuPerfError("step_failed", message, hint, **named)
        else:
            self.limited_by = "error"
            return size < self._own_size
        return True

    def _fits_on_host(self, size: int) -> bool:
        """Return whether the host's memory allows a size, judged by what the batches and steps took so far."""
        free = available_memory_bytes()
        ran = sorted((each for each in self.attempts if each.runs), key=lambda each: each.size)
        if free is None or not ran:
            return True
        top = ran[-1]
        needed_bytes = COPIES * top.batch_bytes / top.size * size
        if not self._runner.meter.measures and len(ran) > 1:
            grown_bytes = top.most_rss_bytes - ran[-2].most_rss_bytes
            missing_bytes = grown_bytes / (top.size - ran[-2].size) * (size - top.size)
            needed_bytes = max(needed_bytes, missing_bytes)
        return needed_bytes < HOST_SHARE * free


def most_rss_bytes() -> float:
    """Return the highest resident memory that this process ever had; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:  # not a POSIX system
        return 0.0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(most if sys.platform == "darwin" else most * 1024)
