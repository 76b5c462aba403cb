"""Measure what a change would gain: alternate a loop with one whose loader has other settings, or is replaced.

In the latter case, the second loop repeats batches that are already on the device: it has its no data loading.

Each block of steps is timed as a whole; the device is synchronized at both ends. Between its blocks, a loop's workers
are paused: batches loaded meanwhile would arrive too fast, and the workers would take CPU time from the other loop.
Afterwards everything that the steps changed is restored. The time limit covers the whole test: the rounds are planned
for the time that is left after both loops have started.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.loaders.batches import map_tensors, with_new_containers
from jupyter_gpuperf.loaders.block_planning import FEWEST_ROUNDS, GOOD_ROUNDS, PLANNED_SHARE, plan
from jupyter_gpuperf.loaders.device_timeline import timeline_of
from jupyter_gpuperf.loaders.loop_blocks import EndlessBatches, Loop
from jupyter_gpuperf.loaders.rebuilding import loader_with
from jupyter_gpuperf.loaders.worker_pause import WorkerPause
from jupyter_gpuperf.loops.timed_loaders import TimedIterable
from jupyter_gpuperf.measure.interleaved import time_interleaved
from jupyter_gpuperf.measure.statistics import Interval
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.state.interrupts import run_afterwards
from jupyter_gpuperf.state.roots import Roots
from jupyter_gpuperf.state.snapshot import StateSnapshot

CACHED_BATCHES: Final = 4
LOADERS: Final = ("the loader", "the changed loader")
"""Path prefixes of the loaders in reports of objects that were not restored. They can't be variable names."""
TARGET_RATIO: Final = 0.02
"""Half-width of the interval, relative to the median, at which measuring ends early."""
WARM_UP_RATIO: Final = 0.15
"""Share of the remaining time for the first steps of each loop, once its workers have started."""
PACE_RATIO: Final = 0.1
"""Share of the remaining time for measuring how long the steps of each loop take."""
SHORTEST_SECONDS: Final = 0.001
"""Lower bound for the time to measure: if no time is left, the minimum number of rounds still runs."""
ROOM_ROUNDS: Final = 0.75
"""A round starts if this share of it fits into the remaining time: skipping it could lose a fifth of the sample."""

Step = Callable[[Any], object]
Clock = Callable[[], float]


@dataclass(frozen=True, kw_only=True)
class ABTestResult:
    """The comparison of two ways of running a loop.

    Attributes
    ----------
    before, after
        Seconds per step, each ``{"value", "low", "high"}`` with a 95 % interval.
    speedup
        ``before / after``, paired by rounds: above 1, the changed loop is faster.
    samples
        Seconds per step of each block.
    steps_per_block
        Number of steps per block of ``before`` and ``after``.
    restored
        Type names of the objects that the steps changed and that were restored.
    doubt
        Why the result may be inaccurate: the interval is still wide, the time limit was too short, or an object was not
        restored; otherwise ``None``.
    cost_seconds
        Duration of the whole test, until everything was restored.
    loader
        The changed loader; ``None`` for :func:`headroom`.
    """

    what: str
    before: Interval
    after: Interval
    speedup: Interval
    samples: dict[str, list[float]]
    steps_per_block: dict[str, int]
    restored: list[str]
    doubt: str | None
    cost_seconds: float
    loader: Any = None


def headroom(
    torch: Any,
    loader: Any,
    step: Step,
    *,
    state: tuple[Any, ...] = (),
    steps: int,
    limit_seconds: float,
    clock: Clock = time.perf_counter,
) -> ABTestResult:
    """Compare the unchanged loop with the same loop on batches that are already on the device.

    Parameters
    ----------
    state
        Objects that the step changes and that must be restored, beside those that are found through the step.
    steps
        Maximum number of steps per block.
    limit_seconds
        Time limit of the whole test.

    Raises
    ------
    BadRequest
        ``no_state_found``: the step reaches no model, so nothing could be restored.
        ``empty_loader``: the loader returned no batch.
    """
    bench = _Bench(torch, step, state, (loader,), steps, limit_seconds, clock)
    cached: list[Any] = []

    def keep(batch: Any) -> None:
        if len(cached) < CACHED_BATCHES:
            cached.append(map_tensors(lambda each: each.to(bench.device), batch))

    def loops() -> Iterator[Loop]:
        # The second loop repeats batches of the first: starting workers again just for them would take seconds.
        yield bench.loop(EndlessBatches(loader, keep), loader)
        yield bench.loop(map(with_new_containers, itertools.cycle(cached)))

    return bench.compare(Message("no data loading"), loops())


def measure_change(
    torch: Any,
    loader: Any,
    step: Step,
    settings: Mapping[str, Any],
    *,
    state: tuple[Any, ...] = (),
    steps: int,
    limit_seconds: float,
) -> ABTestResult:
    """Compare the unchanged loop with the same loop after ``settings`` of its loader were changed.

    The other parameters are those of :func:`headroom`.

    Raises
    ------
    BadRequest
        ``unknown_setting``: the loader has no such setting. ``not_rebuildable``: the loader can't be rebuilt.
        ``no_state_found``: see :func:`headroom`.
    """
    changed = loader_with(loader, settings)
    bench = _Bench(torch, step, state, (loader, changed), steps, limit_seconds)
    what = ", ".join(f"{name}={value!r}" for name, value in settings.items())
    loops = (bench.loop(EndlessBatches(each), each) for each in (loader, changed))
    return bench.compare(what, loops, loader=changed)


class _Bench:
    """Runs blocks of steps, and restores everything that they changed."""

    def __init__(
        self,
        torch: Any,
        step: Step,
        state: tuple[Any, ...],
        loaders: tuple[Any, ...],
        steps: int,
        limit_seconds: float,
        clock: Clock = time.perf_counter,
    ) -> None:
        self._clock, self._limit_seconds = clock, limit_seconds
        self._began = clock()
        named = {f"state[{index}]": each for index, each in enumerate(state)}
        named |= zip(LOADERS, map(_unwrapped, loaders), strict=False)
        self._snapshot = StateSnapshot(torch, Roots.of_step(step, named))
        self._models = _of_the_step(self._snapshot.reached.modules)
        if not self._models:
            raise BadRequest(
                "no_state_found",
                "The step refers to no model, so its changes could not be restored.",
                "Pass the objects that it changes: state=[model, optimizer]",
            )
        self._snapshot_seconds = clock() - self._began
        # The step runs on the device of its models.
        parameters = (each for module in self._models for each in module.parameters())
        self.device = next((each.device for each in parameters), None)
        self._step, self._steps = step, steps
        self._timeline = timeline_of(torch, self._models, clock)
        self._loops: list[Loop] = []
        self._worker_pause = WorkerPause()

    def close(self) -> None:
        """Close all loops, and wait for the device."""
        self._worker_pause.close()  # first, so that the workers of all loops finish at the same time
        for each in self._loops:
            each.close()
        self._timeline.wait()

    def loop(self, batches: Iterator[Any], loader: Any = None) -> Loop:
        """Start a loop over ``batches`` (from ``loader``, if any), measure its seconds per step, and return it."""
        workers = getattr(loader, "num_workers", 0) or 0
        ahead = workers * (getattr(loader, "prefetch_factor", None) or 0)
        loop = Loop(
            batches,
            self._step,
            timeline=self._timeline,
            worker_pause=self._worker_pause,
            workers=workers,
            prefetched=1 + ahead if workers else 0,
        )
        self._loops.append(loop)
        loop.warm_up(WARM_UP_RATIO * self._left_seconds())
        loop.measure_pace(PACE_RATIO * self._left_seconds())
        return loop

    def compare(self, what: str, loops: Iterable[Loop], *, loader: Any = None) -> ABTestResult:
        """Measure two loops alternately, and restore everything that they changed; ``what`` describes the change."""
        with run_afterwards(self._snapshot.restore), contextlib.closing(self):
            named = dict(zip(("before", "after"), loops, strict=True))
            left_seconds = self._left_seconds()
            paces = {name: each.pace for name, each in named.items()}
            chosen = plan(paces, left_seconds, self._steps)
            for name, each in named.items():
                each.steps = chosen.steps[name]
            timings = time_interleaved(
                {name: each.block for name, each in named.items()},
                target_ratio=TARGET_RATIO,
                limit_seconds=max(SHORTEST_SECONDS, left_seconds),
                fewest_rounds=FEWEST_ROUNDS,
                room_rounds=ROOM_ROUNDS,
                clock=self._clock,
            )
            restored = _of_the_step(self._snapshot.reached.stateful())
        doubts = [timings.doubt]
        if not chosen.fits:
            good_seconds = GOOD_ROUNDS * chosen.round_seconds / PLANNED_SHARE
            too_short = Message(
                "{limit:g} s is too short: only {rounds} rounds measured. Set limit_seconds={seconds} or more.",
                limit=self._limit_seconds,
                rounds=FEWEST_ROUNDS,
                seconds=math.ceil(self._limit_seconds - left_seconds + good_seconds),
            )
            doubts.insert(0, too_short)
        if lost := self._snapshot.not_restored:
            doubts.append(Message("Not restored: {paths}.", paths=lost[:5]))
        return ABTestResult(
            what=what,
            before=timings.median("before"),
            after=timings.median("after"),
            speedup=timings.speedup("after", "before"),
            samples=timings.samples,
            steps_per_block=chosen.steps,
            restored=[type(each).__name__ for each in restored],
            doubt=functools.reduce(_joined, filter(None, doubts), None),
            cost_seconds=self._clock() - self._began,
            loader=loader,
        )

    def _left_seconds(self) -> float:
        """Return the seconds until the limit, less the expected time to close and restore; negative if exceeded."""
        ending_seconds = self._snapshot_seconds + sum(each.ending_seconds for each in self._loops)
        spent_seconds = self._clock() - self._began
        return self._limit_seconds - spent_seconds - ending_seconds


def _joined(first: str | None, second: str) -> str:
    return Message("{first} {second}", first=first, second=second) if first else second


def _of_the_step(reached: Iterable[tuple[str, Any]]) -> list[Any]:
    """Return the objects that were found through the step. Transforms of a loader's dataset may contain models too."""
    return [each for path, each in reached if not path.startswith(LOADERS)]


def _unwrapped(loader: Any) -> Any:
    """Return a loader without the wrapper that the step clock puts around it."""
    return loader.unwrapped if isinstance(loader, TimedIterable) else loader
