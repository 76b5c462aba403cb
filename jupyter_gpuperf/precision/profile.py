"""Profile a cell: run it as usual, time it in all modes in turn, then check what each mode computes."""

from __future__ import annotations

import contextlib
import functools
import time
import zlib
from typing import Final

from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.measure.device import uuid_of
from jupyter_gpuperf.measure.environment import describe
from jupyter_gpuperf.measure.interleaved import Interleaved
from jupyter_gpuperf.measure.memory import free_device_memory
from jupyter_gpuperf.measure.stopping import QUICK_RATIO, target_ratio
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.precision import advice, facts, rewriting
from jupyter_gpuperf.precision.compiling import Compilation
from jupyter_gpuperf.precision.failure_description import describe_failure_in_mode
from jupyter_gpuperf.precision.measured_modes import MeasuredModes, Progress
from jupyter_gpuperf.precision.mode_checks import REFERENCE, ModeChecks
from jupyter_gpuperf.precision.mode_context import CURRENT_MODE, MODES
from jupyter_gpuperf.precision.numerics import UNKNOWN
from jupyter_gpuperf.precision.options import LEAST_SECONDS, ProfileOptions
from jupyter_gpuperf.precision.outcome import ModeOutcome, Profile
from jupyter_gpuperf.precision.profiled_code import ProfiledCode
from jupyter_gpuperf.precision.session import OutOfTime, ProfileSession
from jupyter_gpuperf.precision.timing import (
    FEWEST_ROUNDS,
    Variant,
    VariantFailed,
)
from jupyter_gpuperf.state.interrupts import run_afterwards
from jupyter_gpuperf.state.switches import tf32_is_on

FIRST_SHARE: Final = 0.4
"""Share of the time limit for timing before the checks. Whatever the checks leave is used for more rounds."""
COMPILE_SHARE: Final = 0.1
NUMERICS_SHARE: Final = 0.2
LONGEST_RUNS: Final = 25
"""By default, a profile may take as long as this many runs in each mode, even beyond its usual limit."""


def run_profile(
    subject: ProfiledCode,
    options: ProfileOptions,
    *,
    source: str = "",
    progress: Progress = lambda ratio, message: None,
) -> Profile:
    """Profile a cell. Afterwards the state is the same as after one ordinary run, even after an error.

    Raises
    ------
    CellFailed
        The ordinary run raised an exception; the state before it is restored.
    GpuPerfError
        The cell can't be profiled; the error gives the reason.
    """
    import torch

    options.validated()
    began = time.perf_counter()
    session = ProfileSession(torch, subject)
    with run_afterwards(session.close):
        progress(0.02, "Running the cell once")
        session.ordinary_run()
        profile = _Profiling(session, options, source, progress).run()
    profile.warnings = [*session.warnings, *profile.warnings]
    profile.seconds = time.perf_counter() - began
    return profile


class _Profiling:
    def __init__(
        self, session: ProfileSession, options: ProfileOptions, source: str, progress: Progress
    ) -> None:
        self._torch, self._session, self._device = session.torch, session, session.device
        self._options, self._source, self._progress = options, source, progress
        self._target, self._began = target_ratio(options.rigorous), time.perf_counter()
        self._on_gpu = session.device.type == "cuda"
        same_as_now = {(False, False): REFERENCE, (True, True): "tf32"}
        now = same_as_now.get(tf32_is_on(session.torch)) if self._on_gpu else REFERENCE
        names: list[str] = [mode for mode in MODES if mode == REFERENCE or mode in options.modes]
        if now not in names:
            names.append(CURRENT_MODE)
        self._now = now or CURRENT_MODE
        self._modes = MeasuredModes(session, names, self._now, progress)
        self._profile = Profile(modes=[], now=None, same_as_now=now)

    def run(self) -> Profile:
        """Run all passes and return the profile."""
        profile, options, session = self._profile, self._options, self._session
        if options.time_limit_seconds is not None:
            self._limit(options.limit_seconds)
        self._modes.warm_up()
        if options.time_limit_seconds is None:
            runs_seconds = sum(each.run_seconds for each in self._modes.variants.values())
            session.ends_at = self._began + max(options.limit_seconds, LONGEST_RUNS * runs_seconds)
        timings = self._modes.time_in_turn(FIRST_SHARE * options.limit_seconds, self._target)
        for variant in list(self._modes.variants.values()):
            with contextlib.suppress(OutOfTime):
                self._modes.attempt(
                    variant.name,
                    functools.partial(
                        self._modes.stopwatch.measure_peak_memory,
                        variant,
                        self._modes.outcomes[variant.name],
                    ),
                )
        reference = self._modes.variants.get(REFERENCE)
        checking = ModeChecks(
            session,
            steps=options.steps,
            run_seconds=reference.run_seconds if reference else 0.0,
            budget_seconds=NUMERICS_SHARE * max(options.limit_seconds, LEAST_SECONDS),
        )
        with contextlib.closing(checking):  # also closes the driver after an interrupt
            self._examine(checking)
        if timings.doubt is not None and self._seconds_left() > 0:
            timings = self._modes.time_longer(self._seconds_left(), self._target) or timings
        seconds = time.perf_counter() - self._began
        if options.compile:
            self._compile()
        profile.now = self._modes.outcomes.pop(CURRENT_MODE, None)
        profile.modes = list(self._modes.outcomes.values())
        profile.cell = f"{zlib.crc32(self._source.encode()):08x}"
        profile.steps_per_run = session.steps_per_run
        profile.numerics_steps = checking.steps_compared
        environment = describe(self._torch, self._device)
        profile.environment = {**environment, "steps_per_run": profile.steps_per_run}
        profile.warnings += facts.measurement_warnings(session)
        profile.warnings += facts.dtype_warnings(session, self._modes.outcomes[REFERENCE])
        profile.warnings += self._modes.doubts(timings, self._target, seconds)
        profile.warnings += [*checking.warnings, *self._modes.warnings]
        self._advise()
        return profile

    def _limit(self, seconds: float) -> None:
        self._began = time.perf_counter()
        self._session.ends_at = self._began + max(seconds, LEAST_SECONDS)

    def _seconds_left(self) -> float:
        return self._began + self._options.limit_seconds - time.perf_counter()

    def _examine(self, checking: ModeChecks) -> None:
        for index, name in enumerate(self._modes.variants):
            done = index / len(self._modes.variants)
            self._progress(0.35 + 0.35 * done, Message("Checking {mode}", mode=name))
            while (error := self._checked(checking, name)) is not None:
                failed = VariantFailed(self._modes.variants[name], error, self._session.runs_in_row)
                if self._modes.is_shortened(failed):
                    continue
                described = describe_failure_in_mode(self._session, failed)
                sentence = Message("not compared: {message} {hint}", **described)
                outcome = self._modes.outcomes[name]
                outcome.numerics = outcome.numerics or {"verdict": UNKNOWN, "sentence": sentence}
                free_device_memory(self._torch)
                break

    def _checked(self, checking: ModeChecks, name: str) -> Exception | None:
        """Run the checks of a mode, and return the exception that ended them."""
        outcome = self._modes.outcomes[name]
        try:
            outcome.dtypes = checking.census(name)
            if self._on_gpu:
                outcome.kernels = checking.kernels(name)
                uuid = uuid_of(self._torch, self._device)
                outcome.tensor_active_ratio = checking.tensor_active_ratio(name, uuid)
            if self._options.numerics and name != CURRENT_MODE:
                outcome.numerics = checking.numerics(name)
            if self._options.rigorous and self._on_gpu:
                outcome.energy_joules = checking.energy(name, outcome.step_seconds)
        except Exception as error:  # noqa: BLE001  (the timing is kept, the reason is reported)
            return error
        return None

    def _compile(self) -> None:
        try:
            compilation = Compilation(self._session)
        except GpuPerfError as error:
            reason = Message("Not compiled: {reason} {hint}", reason=error.message, hint=error.hint)
            self._profile.warnings.append(reason)
            return
        modes = [name for name in self._modes.variants if name != CURRENT_MODE]
        for index, mode in enumerate(modes):
            name = f"{mode}+compile"
            done = index / len(modes)
            self._progress(0.85 + 0.13 * done, Message("Compiling for {mode}", mode=mode))
            outcome = self._modes.outcomes[name] = ModeOutcome(name)
            variant = Variant(name, mode, prepare=compilation.activate)
            self._limit(self._options.limit_seconds)
            try:
                compilation.begin()
                outcome.compiled = compilation.measure(self._modes.stopwatch, variant)
                timings = self._timed_beside_eager(variant)
                outcome.compiled["speedup_over_eager"] = timings.speedup(name, mode)
                self._modes.stopwatch.measure_peak_memory(variant, outcome)
            except VariantFailed as error:
                outcome.error = describe_failure_in_mode(self._session, error)
                free_device_memory(self._torch)
            except OutOfTime as error:
                outcome.error = error.to_dict()
            finally:
                compilation.end()

    def _timed_beside_eager(self, variant: Variant) -> Interleaved:
        beside = {
            name: Variant(name, name, run_seconds=self._modes.variants[name].run_seconds)
            for name in (REFERENCE, self._now, variant.mode)
            if name in self._modes.variants
        }
        timings = self._modes.stopwatch.time_in_turn(
            {**beside, variant.name: variant},
            target_ratio=QUICK_RATIO,
            fewest_rounds=FEWEST_ROUNDS,
            limit_seconds=COMPILE_SHARE * self._options.limit_seconds,
        )
        self._modes.fill_times(variant, timings)
        return timings

    def _advise(self) -> None:
        profile, session = self._profile, self._session
        advice.recommend_mode(profile)
        known = facts.advice_facts(session, self._options.compile)
        advice.explain_limits(profile, known)
        mode, _, compiled = (profile.recommended or CURRENT_MODE).partition("+")
        if mode in (CURRENT_MODE, profile.same_as_now) and not compiled:
            return
        profile.code = rewriting.rewrite_cell(
            self._source,
            mode,
            self._device.type,
            session.subject.namespace,
            session.torch,
            compiled=dict(session.models_used()) if compiled else {},
            has_scaler=session.cell_traits.has_scaler,
        )
