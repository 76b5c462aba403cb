"""Search for the levers that make a cell faster: each alone on top of what was taken, then the whole against the cell."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.levers.cell_code import CellCode
from jupyter_gpuperf.levers.lever import Lever, NotApplicable
from jupyter_gpuperf.levers.numbers_check import NumbersCheck, are_right
from jupyter_gpuperf.levers.options import SpeedupOptions
from jupyter_gpuperf.levers.outcome import LeverOutcome, OnOutcome, Speedup
from jupyter_gpuperf.levers.registry import all_levers
from jupyter_gpuperf.levers.situation import situation_of
from jupyter_gpuperf.levers.versions import Versions
from jupyter_gpuperf.measure.environment import describe
from jupyter_gpuperf.measure.interleaved import Interleaved
from jupyter_gpuperf.measure.memory import free_device_memory
from jupyter_gpuperf.measure.statistics import Interval
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.precision.failure_description import MOST_CHARACTERS, describe_failure_in_mode
from jupyter_gpuperf.precision.measured_modes import Progress
from jupyter_gpuperf.precision.outcome import ModeOutcome
from jupyter_gpuperf.precision.session import OutOfTime, ProfiledCode, ProfileSession
from jupyter_gpuperf.precision.timing import CellStopwatch, Variant, VariantFailed
from jupyter_gpuperf.state.interrupts import run_afterwards

AS_IT_WAS: Final = "as it was"
TRIAL_RATIO: Final = 0.03
"""Half-width of the intervals at which a trial ends, as a share of the time."""
FINAL_RATIO: Final = 0.01
TRIAL_ROUNDS: Final = 4
FINAL_ROUNDS: Final = 6
ONE: Final[Interval] = {"value": 1.0, "low": 1.0, "high": 1.0}
TRIAL_SHARE: Final = 0.08
"""Share of the time limit that one trial may take at most."""
FINAL_SHARE: Final = 0.25
LEAST_GAIN: Final = 1.005
"""A lever that gains less is not worth its line."""
COMPARED_STEPS: Final = 20


def search(
    subject: ProfiledCode,
    source: str,
    options: SpeedupOptions,
    *,
    levers: Sequence[Lever] | None = None,
    progress: Progress = lambda ratio, message: None,
    on_outcome: OnOutcome = lambda outcomes: None,
) -> Speedup:
    """Make a cell fast. Afterwards the state is the same as after one ordinary run, even after an error.

    Parameters
    ----------
    on_outcome
        Called after each lever, with the outcomes of all levers so far.

    Raises
    ------
    CellFailed
        The ordinary run raised an exception; the state before it is restored.
    GpuPerfError
        The cell can't be run again, or not be timed; the error gives the reason.
    """
    import torch

    options.validated()
    began = time.perf_counter()
    session = ProfileSession(torch, subject)
    versions = Versions(session)
    with run_afterwards(lambda: _close(session, versions)):
        progress(0.02, "Running the cell once")
        session.ordinary_run()
        chosen = all_levers() if levers is None else levers
        found = _Search(session, versions, source, options, chosen, progress, on_outcome).run()
    found.warnings = [*session.warnings, *found.warnings]
    found.environment = describe(torch, session.device)
    found.seconds = time.perf_counter() - began
    return found


def _close(session: ProfileSession, versions: Versions) -> None:
    versions.choose(None)
    session.close()


class _Search:
    def __init__(
        self,
        session: ProfileSession,
        versions: Versions,
        source: str,
        options: SpeedupOptions,
        levers: Sequence[Lever],
        progress: Progress,
        on_outcome: OnOutcome,
    ) -> None:
        self._session, self._versions, self._options = session, versions, options
        self._levers, self._progress, self._on_outcome = levers, progress, on_outcome
        self._stopwatch = CellStopwatch(session)
        self._situation = situation_of(session)
        self._own = CellCode(source)
        self._best = self._own
        self._best_variant = versions.variant(AS_IT_WAS, None)
        self._outcomes: list[LeverOutcome] = []
        self._taken: list[Lever] = []
        self._speedup = 1.0
        self._numbers: dict[str, Any] = {}
        """How the best code's numbers compare with fp32's; empty for the cell as it was."""
        self._limit_seconds = options.time_limit_seconds
        self._began = time.perf_counter()

    def run(self) -> Speedup:
        """Try all levers, and return the answer."""
        own = self._best_variant
        self._attempt_own(own)
        runs = math.ceil(COMPARED_STEPS / max(1, self._session.steps_per_run))
        self._check = NumbersCheck(self._session, self._versions, runs)
        for index, lever in enumerate(self._levers):
            done = index / len(self._levers)
            self._progress(0.1 + 0.6 * done, Message("Trying {lever}", lever=lever.name))
            self._try(lever)
            self._on_outcome(self._outcomes)
        return self._answer(own)

    def _attempt_own(self, own: Variant) -> None:
        try:
            self._stopwatch.warm_up(own)
        except VariantFailed as error:
            failed = describe_failure_in_mode(self._session, error)
            message = Message("The cell can't be run again: {reason}", reason=failed["message"])
            raise GpuPerfError("not_timed", message, failed["hint"]) from error

    def _try(self, lever: Lever) -> None:
        if self._options.safe and not lever.keeps_numbers:
            self._leave(lever, Message("Not tried: it changes fp32's numbers."))
            return
        self._session.reset()  # levers look at the objects as they were
        base = self._without_excluded(lever)
        try:
            code = lever.apply(self._situation, base)
        except NotApplicable as error:
            self._leave(lever, error.reason)
            return
        except Exception as error:  # noqa: BLE001  (a lever of another package)
            self._leave(lever, Message("It failed: {reason}", reason=repr(error)[:MOST_CHARACTERS]))
            return
        if self._seconds_left() < self._trial_seconds():
            self._leave(lever, Message("Not tried: no time was left."))
            return
        self._time(lever, code)

    def _without_excluded(self, lever: Lever) -> CellCode:
        """Return the best code so far without the levers of which this one takes the place."""
        code = self._own
        for each in self._taken:
            if each.name not in lever.excludes:
                code = each.apply(self._situation, code)
        return code

    def _time(self, lever: Lever, code: CellCode) -> None:
        began = time.perf_counter()
        variant = self._versions.variant(lever.name, code)
        try:
            self._session.ends_at = math.inf if lever.compiles else self._ends_at
            self._stopwatch.warm_up(variant)
            if lever.compiles:  # compiling does not count
                self._began += time.perf_counter() - began
            self._session.ends_at = self._ends_at
            timings = self._in_turn([self._best_variant, variant])
            speedup = timings.speedup(lever.name, self._best_variant.name)
        except OutOfTime:
            self._leave(lever, Message("Not tried to the end: no time was left."))
            return
        except VariantFailed as error:
            failed = describe_failure_in_mode(self._session, error)
            self._leave(lever, Message("It failed: {reason}", reason=failed["message"]))
            free_device_memory(self._session.torch)
            return
        if speedup["low"] <= 1.0 or speedup["value"] < LEAST_GAIN:
            self._leave(lever, _no_gain(speedup), speedup)
            return
        if lever.hint is not None:
            self._leave(lever, lever.hint, speedup)
            return
        if (wrong := self._wrong_numbers(code)) is not None:
            self._leave(lever, wrong, speedup)
            return
        self._take(lever, code, variant, speedup)

    def _wrong_numbers(self, code: CellCode) -> Message | None:
        """Return why a version's numbers don't allow to take it; ``None`` if they do, then ``_numbers`` has them."""
        try:
            numbers = self._check.compare(code)
        except OutOfTime:
            return Message("Numbers not compared: no time was left.")
        except Exception as error:  # noqa: BLE001  (whatever the cell raises, the other levers go on)
            free_device_memory(self._session.torch)
            return Message("Numbers not compared: {reason}", reason=repr(error)[:MOST_CHARACTERS])
        if not are_right(numbers):
            return Message("Numbers: {sentence}.", sentence=numbers["sentence"])
        self._numbers = numbers
        return None

    def _take(self, lever: Lever, code: CellCode, variant: Variant, speedup: Interval) -> None:
        for each in self._outcomes:
            if each.taken and each.name in lever.excludes:
                each.taken = False
                each.why = Message("{lever} is faster.", lever=lever.name)
        self._taken = [x for x in self._taken if x.name not in lever.excludes] + [lever]
        self._best, self._best_variant = code, variant
        self._speedup *= speedup["value"]
        why = Message("It is faster.")
        self._outcomes.append(LeverOutcome(lever.name, True, why, speedup, self._speedup))

    def _leave(self, lever: Lever, why: Message, speedup: Interval | None = None) -> None:
        self._outcomes.append(LeverOutcome(lever.name, False, why, speedup))

    def _in_turn(self, variants: Sequence[Variant]) -> Interleaved:
        for each in variants:
            each.blocks, each.device_seconds = [], []
        return self._stopwatch.time_in_turn(
            {each.name: each for each in variants},
            target_ratio=TRIAL_RATIO,
            fewest_rounds=TRIAL_ROUNDS,
            limit_seconds=TRIAL_SHARE * self._limit_seconds,
        )

    def _answer(self, own: Variant) -> Speedup:
        self._progress(0.75, Message("Comparing with the cell as it was"))
        self._session.ends_at = math.inf
        variants = {each.name: each for each in (own, self._best_variant)}
        for each in variants.values():
            each.blocks, each.device_seconds = [], []
        limit_seconds = FINAL_SHARE * self._limit_seconds
        round_seconds = 2 * sum(each.run_seconds for each in variants.values())
        timings = self._stopwatch.time_in_turn(
            variants,
            target_ratio=FINAL_RATIO,
            fewest_rounds=max(2, min(FINAL_ROUNDS, int(limit_seconds / max(round_seconds, 1e-6)))),
            limit_seconds=limit_seconds,
        )
        speedup = ONE
        if self._taken:
            speedup = timings.speedup(self._best_variant.name, own.name)
            if speedup["low"] <= 1.0:  # what was seen in the trials may have been chance
                self._leave_all(own)
                speedup = ONE
        best, samples = self._best_variant, timings.samples
        return Speedup(
            speedup=speedup,
            before_seconds=timings.median(own.name),
            after_seconds=timings.median(best.name),
            levers=self._outcomes,
            code=self._best.cell,
            setup=self._best.setup_code,
            numerics=self._numbers,
            memory=dict(self._peaks(own, best)),
            steps_per_run=self._session.steps_per_run,
            samples={"before_seconds": samples[own.name], "after_seconds": samples[best.name]},
        )

    def _leave_all(self, own: Variant) -> None:
        self._best, self._best_variant, self._taken, self._numbers = self._own, own, [], {}
        for each in self._outcomes:
            if each.taken:
                each.taken = False
                each.why = Message("No gain over the cell as it was could be told at the end.")

    def _peaks(self, own: Variant, best: Variant) -> Iterator[tuple[str, int | None]]:
        for name, variant in (("before_bytes", own), ("after_bytes", best)):
            outcome = ModeOutcome(variant.name)
            with contextlib.suppress(VariantFailed):  # out of memory, beside the saved state
                self._stopwatch.measure_peak_memory(variant, outcome)
            yield name, outcome.peak_allocated_bytes

    @property
    def _ends_at(self) -> float:
        return self._began + (1 - FINAL_SHARE) * self._limit_seconds

    def _seconds_left(self) -> float:
        return self._ends_at - time.perf_counter()

    def _trial_seconds(self) -> float:
        return 2 * (TRIAL_ROUNDS + 1) * self._best_variant.run_seconds


def _no_gain(speedup: Interval) -> Message:
    if speedup["high"] < 1.0:
        return Message("It is slower.")
    if speedup["low"] <= 1.0:
        return Message("No gain can be told: the interval contains 1.")
    return Message("It gains too little.")
