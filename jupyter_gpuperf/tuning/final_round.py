"""Measure the best settings in turn, so that everything reported about them comes from the same minutes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from jupyter_gpuperf.loaders.block_planning import FEWEST_ROUNDS, plan
from jupyter_gpuperf.loaders.loop_blocks import Loop
from jupyter_gpuperf.measure.interleaved import time_interleaved
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.tuning.running_trial import CLOSING_SECONDS, RunningTrial
from jupyter_gpuperf.tuning.time_limit import TimeIsUp
from jupyter_gpuperf.tuning.trial import Trial, interval_of
from jupyter_gpuperf.tuning.trial_setup import MOST_STEPS, TrialSetup

ROOM_ROUNDS: Final = 0.75
"""A round starts if this share of it fits into the remaining time."""
STARTING_SHARE: Final = 0.25
"""Share of the time for the first batches of all loops, and for estimating their pace."""
GOOD_ROUNDS: Final = 12


class FinalRound:
    """Runs the loops of several settings alternately, and with a step also one whose batches are ready.

    The workers of all settings exist at the same time; those of a loop that is not running are paused.

    Parameters
    ----------
    trials
        The trials to measure again; they get the new blocks.
    seconds
        Time for everything, with the start and the end of the workers.
    """

    def __init__(self, setup: TrialSetup, trials: Sequence[Trial], seconds: float) -> None:
        self._setup, self._trials, self._seconds = setup, trials, seconds
        self._end = time.perf_counter() + seconds
        self._runs = [RunningTrial(setup, each.setting) for each in trials]
        self._samples: list[list[float]] = []
        self._running: int | None = None
        """Place of the trial that runs now: an error is its own."""

    def run(self, target_ratio: float) -> bool:
        """Measure until all intervals are narrow enough, or the time is up; return whether there is a result.

        A trial that fails gets its error; then there is no result.
        """
        clock, completed = self._setup.clock, False
        try:
            with clock.alarm.within(min(self._seconds, clock.left())):
                self._measure(self._loops(), target_ratio)
                completed = True
        except TimeIsUp:
            pass
        except Exception as error:  # from the user's code or a worker: it fails one trial
            if self._running is None:
                raise
            failed = self._running
            self._trials[failed].error = self._runs[failed].failure(error)
            return False
        finally:
            with clock.alarm.suspended():
                self._setup.worker_pause.close()  # resumes all workers first, so that they finish their batches at the same time
                deadline = time.perf_counter() + CLOSING_SECONDS
                for each in self._runs:
                    each.end(at_once=not completed, deadline=deadline)
        return self._keep_blocks()

    def _loops(self) -> list[tuple[Loop, Callable[[], float]]]:
        """Start all loops; return each with the function that runs a block of it."""
        setup, loops = self._setup, []
        share = STARTING_SHARE * self._seconds / len(self._trials)
        for place, run in enumerate(self._runs):
            self._running = place
            setup.clock.report(run.setting.describe())
            run.start(share, max(1.0, self._seconds))
            loops.append((run.loop, run.block))
        self._running = None
        if setup.step is not None:
            ready = setup.ready_loop()
            ready.measure_pace(share)
            loops.append((ready, ready.block))
        return loops

    def _measure(self, loops: list[tuple[Loop, Callable[[], float]]], target_ratio: float) -> None:
        clock, left = self._setup.clock, self._end - time.perf_counter() - CLOSING_SECONDS
        paces = {str(place): loop.pace for place, (loop, _) in enumerate(loops)}
        chosen = plan(paces, left, MOST_STEPS, GOOD_ROUNDS)
        for place, (loop, _) in enumerate(loops):
            loop.steps = chosen.steps[str(place)]
        self._samples = [[] for _ in loops]
        time_interleaved(
            {str(place): self._timed(place, block) for place, (_, block) in enumerate(loops)},
            target_ratio=target_ratio,
            limit_seconds=max(0.001, left),
            fewest_rounds=FEWEST_ROUNDS,
            room_rounds=ROOM_ROUNDS,
            progress=lambda ratio, text: clock.report(Message("comparing the best")),
        )

    def _timed(self, place: int, block: Callable[[], float]) -> Callable[[], float]:
        """Return a function that runs a block, and keeps its time even if the round is not completed."""

        def run_block() -> float:
            self._running = place if place < len(self._runs) else None
            seconds = block()
            self._samples[place].append(seconds)
            return seconds

        return run_block

    def _keep_blocks(self) -> bool:
        rounds = min(map(len, self._samples), default=0)
        if rounds < FEWEST_ROUNDS:
            return False
        blocks = [each[:rounds] for each in self._samples]
        if self._setup.step is not None:
            self._setup.ready_seconds = interval_of(blocks.pop())
        for trial, each in zip(self._trials, blocks, strict=True):
            trial.blocks, trial.aborted, trial.round_of = each, False, self._trials
            trial.ready_seconds = self._setup.ready_seconds
        return True
