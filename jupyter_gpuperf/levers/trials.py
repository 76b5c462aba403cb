"""Time versions of a cell against each other, within a time limit."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.levers.versions import Versions
from jupyter_gpuperf.measure.interleaved import Interleaved
from jupyter_gpuperf.measure.memory import free_device_memory
from jupyter_gpuperf.measure.statistics import Interval
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.precision.compiling import SETTLING_RUNS
from jupyter_gpuperf.precision.failure_description import describe_failure_in_mode
from jupyter_gpuperf.precision.outcome import ModeOutcome
from jupyter_gpuperf.precision.session import OutOfTime, ProfileSession
from jupyter_gpuperf.precision.step_window import StepWindow
from jupyter_gpuperf.precision.timing import CellStopwatch, Variant, VariantFailed

TRIAL_RATIO: Final = 0.03
"""Half-width of the intervals at which a trial ends, as a share of the time."""
FINAL_RATIO: Final = 0.01
FEWEST_ROUNDS: Final = 3
"""Two samples have an interval, but so wide that it says nothing."""
TRIAL_ROUNDS: Final = 4
FINAL_ROUNDS: Final = 6
TRIAL_SHARE: Final = 0.08
"""Share of the time limit that one trial may take at most."""
FINAL_SHARE: Final = 0.25
LONG_CELL_SECONDS: Final = 1.0
"""Of a cell that takes longer, only some steps are timed."""
WINDOW_SECONDS: Final = 0.8
FEWEST_STEPS: Final = 8
FIRST_STEPS: Final = 2
"""In these, an optimizer creates its state, and algorithms are chosen."""


class TrialEnded(Exception):
    """A trial came to no result; the first argument is a :class:`Message` with the reason."""

    @property
    def reason(self) -> Message:
        """Why."""
        reason: Message = self.args[0]
        return reason


class Trials:
    """The trials of one session.

    Parameters
    ----------
    limit_seconds
        Limit for all of them; a quarter of it is kept for the final comparison.
    look
        Called after each round; may raise to end the search.
    """

    def __init__(
        self,
        session: ProfileSession,
        versions: Versions,
        limit_seconds: float,
        look: Callable[[], object] = lambda: None,
    ) -> None:
        self._look = look
        self._session, self._versions = session, versions
        self.limit_seconds = limit_seconds
        self._stopwatch = CellStopwatch(session)
        self._began = time.perf_counter()

    @property
    def ends_at(self) -> float:
        """When the last trial must have ended."""
        return self._began + (1 - FINAL_SHARE) * self.limit_seconds

    @property
    def seconds_left(self) -> float:
        """The seconds until then."""
        return self.ends_at - time.perf_counter()

    def reset(self) -> None:
        """Restore the state before the cell."""
        self._session.reset()

    def allow_for(self, variant: Variant) -> bool:
        """Return whether there is time for a trial against this variant."""
        return self.seconds_left >= 2 * (TRIAL_ROUNDS + 1) * variant.run_seconds

    def warm_up_own(self, own: Variant) -> None:
        """Run the cell as it was until it is warm.

        Raises
        ------
        GpuPerfError
            ``not_timed``: it can't be run again.
        """
        try:
            self._stopwatch.warm_up(own)
        except VariantFailed as error:
            failed = describe_failure_in_mode(self._session, error)
            message = Message("The cell can't be run again: {reason}", reason=failed["message"])
            raise GpuPerfError("not_timed", message, failed["hint"]) from error

    def warm_up(self, variant: Variant, *, compiles: bool = False) -> None:
        """Run a variant until it is warm; what compiling takes does not count.

        Raises
        ------
        TrialEnded
            It failed, or the time was up.
        """
        began = time.perf_counter()
        self._versions.has_compiled |= compiles
        with self._ending():
            self._session.ends_at = math.inf if compiles else self.ends_at
            try:
                runs = 1 + SETTLING_RUNS if compiles else 1
                self._stopwatch.warm_up(variant, fewest_runs=runs)
            finally:
                if compiles:
                    self._began += time.perf_counter() - began
                self._session.ends_at = self.ends_at

    def compare(self, before: Variant, after: Variant) -> Interval:
        """Return the speedup of ``after`` over ``before``, measured in turn; both must be warm.

        Raises
        ------
        TrialEnded
            One failed, or the time was up.
        """
        with self._ending():
            limit_seconds = TRIAL_SHARE * self.limit_seconds
            timings = self._in_turn((before, after), TRIAL_RATIO, TRIAL_ROUNDS, limit_seconds)
            return timings.speedup(after.name, before.name)

    def compare_finally(self, own: Variant, best: Variant) -> Interleaved:
        """Time the cell as it was and the final code in turn, whatever time is left."""
        self._session.ends_at = math.inf
        limit_seconds = FINAL_SHARE * self.limit_seconds
        both = (own, best) if best is not own else (own,)
        return self._in_turn(both, FINAL_RATIO, FINAL_ROUNDS, limit_seconds)

    def peak_bytes(self, variant: Variant) -> int | None:
        """Return the peak bytes of tensors; ``None`` without a GPU, or if there is not enough memory to measure."""
        outcome = ModeOutcome(variant.name)
        with contextlib.suppress(VariantFailed):  # out of memory, beside what was saved
            self._stopwatch.measure_peak_memory(variant, outcome)
        return outcome.peak_allocated_bytes

    @property
    def steps_per_run(self) -> int:
        """The number of steps of a run as they are made now; 1 for a cell without an optimizer."""
        window = self._session.window
        return max(1, self._session.steps_per_run if window is None else window.last)

    @property
    def runs_per_cell(self) -> float:
        """How many such runs have as many steps as the whole cell."""
        return max(1, self._session.steps_per_run) / self.steps_per_run

    def step_seconds(self, variant: Variant) -> float:
        """Return the time per step of a variant that has just been warmed up."""
        window = self._session.window
        return variant.run_seconds / self.steps_per_run if window is None else window.step_seconds

    def time_steps_only(self, run_seconds: float, workers: int = 0) -> bool:
        """From now on, time only some steps of the cell, if it is long and has enough of them; else, the whole cell.

        Return whether this differs from before.

        Parameters
        ----------
        run_seconds
            How long a run of the whole cell takes.
        workers
            Processes that load batches. The first batches of all come at once.
        """
        session, before = self._session, self._session.window
        steps, first = session.steps_per_run, FIRST_STEPS + workers
        session.window = None
        if run_seconds > LONG_CELL_SECONDS and steps:
            wanted = math.ceil(WINDOW_SECONDS / (run_seconds / steps))
            last = first + max(wanted, FEWEST_STEPS, 4 * workers)
            if last < steps:
                session.window = StepWindow(first, last, session.synchronize)
        return _steps_of(before) != _steps_of(session.window)

    def _in_turn(
        self, variants: Sequence[Variant], ratio: float, rounds: int, limit_seconds: float
    ) -> Interleaved:
        for each in variants:
            each.blocks, each.device_seconds = [], []
        round_seconds = 2 * sum(each.run_seconds for each in variants)
        return self._stopwatch.time_in_turn(
            {each.name: each for each in variants},
            target_ratio=ratio,
            fewest_rounds=max(
                FEWEST_ROUNDS, min(rounds, int(limit_seconds / max(round_seconds, 1e-6)))
            ),
            limit_seconds=limit_seconds,
            progress=lambda *_: self._look(),
        )

    @contextlib.contextmanager
    def _ending(self) -> Iterator[None]:
        try:
            yield
        except OutOfTime:
            raise TrialEnded(Message("Not tried to the end: no time was left.")) from None
        except VariantFailed as error:
            failed = describe_failure_in_mode(self._session, error)
            free_device_memory(self._session.torch)
            raise TrialEnded(Message("It failed: {reason}", reason=failed["message"])) from error


def _steps_of(window: StepWindow | None) -> tuple[int, int] | None:
    return None if window is None else (window.first, window.last)
