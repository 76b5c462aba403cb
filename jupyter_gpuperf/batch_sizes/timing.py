"""Time the step at several batch sizes in turn, and say from which size on more gains nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from jupyter_gpuperf.batch_sizes.attempt import Attempt, StepRunner
from jupyter_gpuperf.batch_sizes.device_meter import forget, is_out_of_memory
from jupyter_gpuperf.loaders.block_planning import FEWEST_ROUNDS, Pace, Plan, plan
from jupyter_gpuperf.loaders.loop_blocks import Loop
from jupyter_gpuperf.measure.interleaved import Interleaved, paired_ratio, time_interleaved
from jupyter_gpuperf.measure.statistics import Interval, inverse
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.tuning.records import uses_cuda

GOOD_ROUNDS: Final = 8
"""Rounds to aim for: an interval of the median needs a few."""
MOST_STEPS: Final = 20
TARGET_RATIO: Final = 0.02
"""Half-width of the intervals, relative to the median, at which measuring ends early."""
ROOM_ROUNDS: Final = 0.75
"""A round starts if this share of it fits into the remaining time."""
MOST_APART: Final = 1.03
"""Sizes further apart than this are distinguished, however wide their intervals are."""
EXTRA_STEPS: Final = 1
"""Untimed steps per block, after the memory of the size before was returned to the device."""


class TimedSizes:
    """Times sizes in rounds: one block of each, in alternating order, so that drift affects all of them.

    Parameters
    ----------
    attempts
        Sizes that run. Each gets its samples; one that runs out of memory now is marked, and left out.
    report
        Called with a size when its block begins.
    """

    def __init__(
        self, runner: StepRunner, attempts: Sequence[Attempt], report: Callable[[int], object]
    ) -> None:
        self._runner, self._report = runner, report
        self._attempts = {each.size: each for each in attempts}
        self._loops: dict[int, Loop] = {}
        self._ready: dict[int, Any] = {}
        self._current: int | None = None

    def run(self, own_size: int, seconds: float) -> None:
        """Time as many sizes as the time allows, the fastest and the notebook's own first."""
        while self._attempts:
            chosen = self._planned(own_size, seconds)
            if chosen is None:
                return
            self._loops = {size: self._runner.loop(None) for size in self._attempts}
            for size, loop in self._loops.items():
                loop.steps = chosen.steps[str(size)]
            try:
                time_interleaved(
                    {str(size): self._block_of(size) for size in self._attempts},
                    target_ratio=TARGET_RATIO,
                    limit_seconds=max(0.001, seconds),
                    fewest_rounds=FEWEST_ROUNDS,
                    room_rounds=ROOM_ROUNDS,
                )
                return
            except Exception as error:
                if not is_out_of_memory(self._runner.torch, error) or self._current is None:
                    raise
                forget(error)
            self._leave_out(self._current)

    def close(self) -> None:
        """Drop the batches."""
        self._loops.clear()
        self._ready.clear()

    def _planned(self, own_size: int, seconds: float) -> Plan | None:
        """Plan the blocks; drop sizes until enough rounds of the others fit.

        The largest goes first, if it is not faster than the others; otherwise the slowest.
        """
        by_rate = sorted(self._attempts.values(), key=_rough_rate)
        while by_rate:
            lead = self._runner.timeline.runs_ahead + EXTRA_STEPS
            paces = {
                str(each.size): Pace(seconds=each.step_seconds or 0.0, lead_steps=lead)
                for each in by_rate
            }
            chosen = plan(paces, seconds, MOST_STEPS, GOOD_ROUNDS)
            if chosen.fits:
                self._attempts = {each.size: each for each in sorted(by_rate, key=_size)}
                return chosen
            by_rate.remove(dispensable(by_rate, own_size))
        self._attempts = {}
        return None

    def _block_of(self, size: int) -> Callable[[], float]:
        def block() -> float:
            loop = self._loops[size]
            if self._current != size:
                self._drop_current()
                self._current = size
                self._report(size)
                loop.batches = self._runner.loop(self._batch(size)).batches
                self._runner.step(next(loop.batches))
                self._runner.timeline.wait()
            seconds = loop.block()
            self._attempts[size].samples.append(seconds)
            return seconds

        return block

    def _batch(self, size: int) -> Any:
        if size in self._ready:
            return self._ready[size]
        batch = self._runner.batches.batch(size, 0.0)
        if not uses_cuda(
            batch
        ):  # otherwise, the batches of all sizes would need memory at the same time
            self._ready[size] = batch
        return batch

    def _drop_current(self) -> None:
        if self._current is not None and self._current in self._loops:
            self._loops[self._current].batches = iter(())
        self._runner.meter.return_cache()

    def _leave_out(self, size: int) -> None:
        failed = self._attempts.pop(size)
        failed.out_of_memory, failed.samples = True, []
        failed.failure = Message("out of memory when timed after other sizes")
        for each in self._attempts.values():
            each.samples = []
        self._current = None
        self.close()
        self._runner.restore()
        self._runner.meter.settle()


def dispensable(by_rate: Sequence[Attempt], own_size: int) -> Attempt:
    """Return the size that says least for the time it takes; the slowest is first."""
    candidates = [each for each in by_rate if each.size != own_size] or by_rate
    largest = max(candidates, key=_size)
    others = [_rough_rate(each) for each in by_rate if each is not largest]
    is_faster = not others or _rough_rate(largest) > MOST_APART * max(others)
    return candidates[0] if is_faster else largest


def rate_of(attempt: Attempt) -> Interval | None:
    """Return the samples per second with their interval; ``None`` if the size was not timed."""
    if len(attempt.samples) < FEWEST_ROUNDS:
        return None
    seconds = Interleaved(samples={"": attempt.samples}, doubt=None).median("")
    return inverse(seconds, attempt.size)


def enough_of(attempts: Sequence[Attempt], fastest: Attempt) -> Attempt:
    """Return the smallest of the timed sizes that can't be distinguished from the fastest."""
    alike = [each for each in attempts if each is fastest or _is_alike(each, fastest)]
    return min(alike, key=_size)


def _is_alike(one: Attempt, fastest: Attempt) -> bool:
    count = min(len(one.samples), len(fastest.samples))
    slow = paired_ratio(
        [each / one.size for each in one.samples[:count]],
        [each / fastest.size for each in fastest.samples[:count]],
    )
    return slow["low"] <= 1 and slow["value"] <= MOST_APART


def _rough_rate(attempt: Attempt) -> float:
    return attempt.size / (attempt.step_seconds or 1.0)


def _size(attempt: Attempt) -> int:
    return attempt.size
