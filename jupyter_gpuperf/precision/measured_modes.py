"""The modes of a profile: warm them up, time them in turn, and drop those that fail."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Final

from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.measure.interleaved import Interleaved
from jupyter_gpuperf.measure.memory import free_device_memory
from jupyter_gpuperf.measure.statistics import half_width_ratio
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.precision.failure_cause import failing_run
from jupyter_gpuperf.precision.failure_description import describe_failure_in_mode
from jupyter_gpuperf.precision.mode_checks import REFERENCE
from jupyter_gpuperf.precision.mode_context import CURRENT_MODE, check_mode
from jupyter_gpuperf.precision.outcome import ModeOutcome
from jupyter_gpuperf.precision.session import OutOfTime, ProfileSession
from jupyter_gpuperf.precision.timing import (
    FEWEST_ROUNDS,
    CellStopwatch,
    Variant,
    VariantFailed,
    interval_or_none,
)
from jupyter_gpuperf.precision.variation import describe_variation

Progress = Callable[[float, str], None]

FEWEST_FOR_ESTIMATE: Final = 8
LONGEST_SECONDS: Final = 600.0


class MeasuredModes:
    """The modes of one session, and what was measured of each.

    Attributes
    ----------
    variants
        The modes that have not failed.
    outcomes
        What is known of each mode.
    warnings
        Sentences to show with the result.
    """

    def __init__(
        self, session: ProfileSession, names: list[str], now: str, progress: Progress
    ) -> None:
        self._session, self._now, self._progress = session, now, progress
        self.stopwatch = CellStopwatch(session)
        self.outcomes = {name: ModeOutcome(name) for name in names}
        self.variants = {name: Variant(name, name) for name in names}
        self.warnings: list[str] = []

    def warm_up(self) -> None:
        """Run each mode until its first runs are over.

        Raises
        ------
        GpuPerfError
            ``reference_failed``.
        """
        for index, name in enumerate(self.outcomes):
            done = index / len(self.outcomes)
            self._progress(0.05 + 0.15 * done, Message("Warming up {mode}", mode=name))
            try:
                if name != CURRENT_MODE:
                    check_mode(
                        self._session.torch, name, self._session.device, self._session.cell_traits
                    )
                self.attempt(name, functools.partial(self.stopwatch.warm_up, self.variants[name]))
            except GpuPerfError as error:
                self._failed(name, error)
        if REFERENCE not in self.variants:
            failed = self.outcomes[REFERENCE].error or {"message": "", "hint": ""}
            reason = failed["message"]
            message = Message("The cell failed in fp32, the reference: {reason}", reason=reason)
            raise GpuPerfError("reference_failed", message, failed["hint"])

    def attempt(self, name: str, action: Callable[[], object]) -> None:
        """Call ``action``; when it fails, record why, or repeat it with fewer runs in a row."""
        while name in self.variants:
            try:
                action()
                return
            except VariantFailed as error:
                self._failed(name, error)

    def _failed(self, name: str, error: Exception) -> None:
        if isinstance(error, VariantFailed) and self.is_shortened(error):
            return
        self.outcomes[name].error = describe_failure_in_mode(self._session, error)
        self.variants.pop(name, None)
        free_device_memory(self._session.torch)

    def is_shortened(self, error: VariantFailed) -> bool:
        """If the cell's own mode can't be run so often in a row either, allow fewer runs, and return ``True``."""
        session = self._session
        if error.runs < 2 or isinstance(error.cause, GpuPerfError):
            return False
        try:
            run = failing_run(session, error.runs, error.cause)
        except OutOfTime:
            return False
        if run is None or run < 2:
            return False
        session.most_runs = run - 1
        self.warnings.append(
            Message.counted(
                "The cell's own mode raises {name} after {count} run in a row; no block is longer.",
                "The cell's own mode raises {name} after {count} runs in a row; no block is longer.",
                name=type(error.cause).__name__,
                count=session.most_runs,
            )
        )
        return True

    def time_in_turn(self, seconds: float, target: float) -> Interleaved:
        """Time all variants in turn.

        Raises
        ------
        GpuPerfError
            ``time_limit_too_short``, or ``not_timed`` when all modes failed.
        """
        while self.variants:
            try:
                return self._timed(seconds, target, FEWEST_ROUNDS, 0.2)
            except OutOfTime as error:
                longest = max(each.run_seconds for each in self.variants.values())
                message = "The time limit ended before each mode was timed twice; one run takes {seconds:.2g} s."
                hint = "Raise --time-limit-seconds, choose fewer --modes, or let the cell do fewer steps."
                raise GpuPerfError(
                    "time_limit_too_short", message, hint, seconds=longest
                ) from error
            except VariantFailed as error:
                self._failed(error.name, error)
                for each in self.variants.values():
                    each.blocks, each.device_seconds, each.steps_skipped = [], [], 0
        failed = self.outcomes[REFERENCE].error or {"message": "", "hint": ""}
        message = "The cell can't be timed: {reason}"
        raise GpuPerfError("not_timed", Message(message, reason=failed["message"]), failed["hint"])

    def time_longer(self, seconds: float, target: float) -> Interleaved | None:
        """Add rounds to the earlier ones; ``None`` if a mode fails now, which ends the timing."""
        try:
            return self._timed(seconds, target, 1, 0.75)
        except VariantFailed as error:
            failed = describe_failure_in_mode(self._session, error)
            message = "{mode} failed after {count} rounds: {message} {hint}"
            count = len(self.variants[error.name].blocks)
            self.warnings.append(Message(message, mode=error.name, count=count, **failed))
            return None

    def _timed(self, seconds: float, target: float, fewest_rounds: int, span: float) -> Interleaved:
        """Time all variants in turn; ``span`` is where the progress begins."""
        timings = self.stopwatch.time_in_turn(
            self.variants,
            target_ratio=target,
            limit_seconds=seconds,
            fewest_rounds=fewest_rounds,
            progress=lambda ratio, text: self._progress(span + 0.15 * ratio, text),
        )
        for each in self.variants.values():
            self.fill_times(each, timings)
        return timings

    def fill_times(self, variant: Variant, timings: Interleaved) -> None:
        """Store a variant's timings in its outcome."""
        name, outcome = variant.name, self.outcomes[variant.name]
        outcome.samples, outcome.step_seconds = timings.samples[name], timings.median(name)
        host_seconds = [
            each.host_seconds for each in variant.blocks if each.host_seconds is not None
        ]
        outcome.host_seconds = interval_or_none(host_seconds)
        outcome.device_seconds = interval_or_none(variant.device_seconds)
        outcome.steps_skipped = variant.steps_skipped
        if REFERENCE in timings.samples:
            outcome.speedup = timings.speedup(name, REFERENCE)
        if self._now in timings.samples:
            outcome.speedup_over_now = timings.speedup(name, self._now)

    def doubts(self, timings: Interleaved, target: float, seconds: float) -> Iterator[Message]:
        """Yield what to say if the widest interval is wider than requested after ``seconds``."""
        widths = {name: half_width_ratio(timings.median(name)) for name in self.variants}
        widest = max(widths, key=lambda name: widths[name], default="")
        if not widths or widths[widest] <= target:
            return
        count = len(timings.samples[widest])
        yield Message(
            "{mode} not converged after {count} rounds: interval ±{half_width:.1f} %, target ±{target:.0f} %.",
            mode=widest,
            count=count,
            half_width=100 * widths[widest],
            target=100 * target,
        )
        needed = seconds * (widths[widest] / target) ** 2
        if count >= FEWEST_FOR_ESTIMATE and needed <= LONGEST_SECONDS:
            yield Message(
                "At this pace, --time-limit-seconds {seconds:.0f} is enough.", seconds=needed
            )
        yield from describe_variation(self.variants[widest].blocks)
