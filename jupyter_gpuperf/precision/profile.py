"""Profile a cell: run it as usual, time it in all modes in turn, then check what each mode computes."""

from __future__ import annotations

import contextlib
import time
import zlib
from collections.abc import Callable
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
from jupyter_gpuperf.precision.mode_checks import REFERENCE, ModeChecks
from jupyter_gpuperf.precision.mode_context import CURRENT_MODE, MODES, check_mode
from jupyter_gpuperf.precision.numerics import UNKNOWN
from jupyter_gpuperf.precision.options import QUICK_SECONDS, ProfileOptions
from jupyter_gpuperf.precision.outcome import ModeOutcome, Profile
from jupyter_gpuperf.precision.session import ProfiledCode, ProfileSession
from jupyter_gpuperf.precision.timing import CellStopwatch, Variant, VariantFailed, interval_or_none
from jupyter_gpuperf.state.switches import tf32_is_on

COMPILE_SHARE: Final = 0.5
NUMERICS_SHARE: Final = 0.75

Progress = Callable[[float, str], None]


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
    with contextlib.closing(session):
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
        self._stopwatch = CellStopwatch(session)
        self._on_gpu = session.device.type == "cuda"
        same_as_now = {(False, False): REFERENCE, (True, True): "tf32"}
        now = same_as_now.get(tf32_is_on(session.torch)) if self._on_gpu else REFERENCE
        names: list[str] = [mode for mode in MODES if mode == REFERENCE or mode in options.modes]
        if now not in names:
            names.append(CURRENT_MODE)
        self._outcomes = {name: ModeOutcome(name) for name in names}
        self._variants = {name: Variant(name, name) for name in names}
        """The variants that have not failed."""
        self._now = now or CURRENT_MODE
        self._profile = Profile(modes=[], now=None, same_as_now=now)

    def run(self) -> Profile:
        """Run all passes and return the profile."""
        profile, options = self._profile, self._options
        self._warm_up()
        timings = self._timed()
        for variant in list(self._variants.values()):
            try:
                self._stopwatch.measure_peak_memory(variant, self._outcomes[variant.name])
            except VariantFailed as error:
                self._failed(error.name, error)
        reference = self._variants.get(REFERENCE)
        checking = ModeChecks(
            self._session,
            steps=options.steps,
            run_seconds=reference.run_seconds if reference else 0.0,
            budget_seconds=NUMERICS_SHARE * options.limit_seconds,
        )
        with contextlib.closing(checking):  # also closes the driver after an interrupt
            self._examine(checking)
        if options.compile:
            self._compile()
        profile.now = self._outcomes.pop(CURRENT_MODE, None)
        profile.modes = list(self._outcomes.values())
        profile.cell = f"{zlib.crc32(self._source.encode()):08x}"
        profile.steps_per_run = self._session.steps_per_run
        profile.numerics_steps = checking.steps_compared
        environment = describe(self._torch, self._device)
        profile.environment = {**environment, "steps_per_run": profile.steps_per_run}
        profile.warnings += facts.measurement_warnings(self._session)
        if timings is not None and timings.doubt:
            profile.warnings.append(timings.doubt)
        profile.warnings += checking.warnings
        self._advise()
        return profile

    def _warm_up(self) -> None:
        for index, name in enumerate(self._outcomes):
            done = index / len(self._outcomes)
            self._progress(0.05 + 0.15 * done, Message("Warming up {mode}", mode=name))
            try:
                if name != CURRENT_MODE:
                    check_mode(self._torch, name, self._device, self._session.cell_traits)
                self._stopwatch.warm_up(self._variants[name])
            except (GpuPerfError, VariantFailed) as error:
                self._failed(name, error)
        if REFERENCE not in self._variants:
            reason = (self._outcomes[REFERENCE].error or {}).get("message", "")
            message = "The cell failed in fp32, the reference: {reason}"
            hint = "Check whether the cell itself sets a dtype."
            raise GpuPerfError("reference_failed", message, hint, reason=reason)

    def _failed(self, name: str, error: Exception) -> None:
        self._outcomes[name].error = describe_failure_in_mode(error)
        self._variants.pop(name, None)
        free_device_memory(self._torch)

    def _timed(self) -> Interleaved | None:
        while self._variants:
            for each in self._variants.values():
                each.host_seconds, each.device_seconds = [], []
            try:
                timings = self._stopwatch.time_in_turn(
                    self._variants,
                    target_ratio=target_ratio(self._options.rigorous),
                    limit_seconds=self._options.limit_seconds,
                    progress=lambda ratio, text: self._progress(0.2 + 0.35 * ratio, text),
                )
            except VariantFailed as error:
                self._failed(error.name, error)
                continue
            for each in self._variants.values():
                self._fill_times(each, timings)
            return timings
        return None

    def _fill_times(self, variant: Variant, timings: Interleaved) -> None:
        name, outcome = variant.name, self._outcomes[variant.name]
        outcome.samples, outcome.step_seconds = timings.samples[name], timings.median(name)
        outcome.host_seconds = interval_or_none(variant.host_seconds)
        outcome.device_seconds = interval_or_none(variant.device_seconds)
        outcome.steps_skipped = variant.steps_skipped
        if REFERENCE in timings.samples:
            outcome.speedup = timings.speedup(name, REFERENCE)
        if self._now in timings.samples:
            outcome.speedup_over_now = timings.speedup(name, self._now)

    def _examine(self, checking: ModeChecks) -> None:
        for index, name in enumerate(self._variants):
            outcome, done = self._outcomes[name], index / len(self._variants)
            self._progress(0.6 + 0.25 * done, Message("Checking {mode}", mode=name))
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
                reason = describe_failure_in_mode(error)["message"]
                sentence = Message("check failed: {reason}", reason=reason)
                outcome.numerics = outcome.numerics or {"verdict": UNKNOWN, "sentence": sentence}
                free_device_memory(self._torch)

    def _compile(self) -> None:
        try:
            compilation = Compilation(self._session)
        except GpuPerfError as error:
            reason = Message("Not compiled: {reason} {hint}", reason=error.message, hint=error.hint)
            self._profile.warnings.append(reason)
            return
        modes = [name for name in self._variants if name != CURRENT_MODE]
        for index, mode in enumerate(modes):
            name = f"{mode}+compile"
            done = index / len(modes)
            self._progress(0.85 + 0.13 * done, Message("Compiling for {mode}", mode=mode))
            outcome = self._outcomes[name] = ModeOutcome(name)
            variant = Variant(name, mode, prepare=compilation.activate)
            try:
                compilation.begin()
                outcome.compiled = compilation.measure(self._stopwatch, variant)
                timings = self._timed_beside_eager(variant)
                outcome.compiled["speedup_over_eager"] = timings.speedup(name, mode)
                self._stopwatch.measure_peak_memory(variant, outcome)
            except VariantFailed as error:
                outcome.error = describe_failure_in_mode(error)
                free_device_memory(self._torch)
            finally:
                compilation.end()

    def _timed_beside_eager(self, variant: Variant) -> Interleaved:
        beside = {
            name: Variant(name, name, run_seconds=self._variants[name].run_seconds)
            for name in (REFERENCE, self._now, variant.mode)
            if name in self._variants
        }
        timings = self._stopwatch.time_in_turn(
            {**beside, variant.name: variant},
            target_ratio=QUICK_RATIO,
            limit_seconds=COMPILE_SHARE * min(QUICK_SECONDS, self._options.limit_seconds),
        )
        self._fill_times(variant, timings)
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
