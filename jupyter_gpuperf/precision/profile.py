"""Profiles a cell: the ordinary run, then the modes in turn, then what they computed. The order of the passes is here."""

from __future__ import annotations

import contextlib
import gc
import time
import zlib
from collections.abc import Callable
from typing import Any, Final

from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.measure.device import uuid_of
from jupyter_gpuperf.measure.environment import describe
from jupyter_gpuperf.measure.interleaved import Interleaved
from jupyter_gpuperf.measure.precision import tf32_is_on
from jupyter_gpuperf.measure.stopping import QUICK_RATIO, RIGOROUS_RATIO
from jupyter_gpuperf.precision import advice, facts, rewriting
from jupyter_gpuperf.precision.checking import Checking
from jupyter_gpuperf.precision.compiling import Compilation
from jupyter_gpuperf.precision.failing import described
from jupyter_gpuperf.precision.modes import MODES, NOW, check
from jupyter_gpuperf.precision.options import QUICK_SECONDS, Options
from jupyter_gpuperf.precision.outcome import ModeOutcome, Profile
from jupyter_gpuperf.precision.session import Ordinary, Session, Subject
from jupyter_gpuperf.precision.timing import Stopwatch, Variant, VariantFailed, interval_or_none

COMPILE_SHARE: Final = 0.5
NUMERICS_SHARE: Final = 0.75
REFERENCE: Final = "fp32"

Say = Callable[[float, str], None]


def run_profile(
    subject: Subject,
    options: Options,
    *,
    source: str = "",
    say: Say = lambda ratio, words: None,
) -> Profile:
    """Profile a cell; afterwards, whatever happened, everything is as after one ordinary run.

    Raises
    ------
    CellFailed
        The ordinary run raised; the state is as before it.
    GpuPerfError
        It was refused, with the reason.
    """
    import torch

    options.checked()
    began = time.perf_counter()
    session = Session(torch, subject)
    with contextlib.closing(session):
        say(0.02, "running the cell once, as it is")
        ordinary = session.ordinary_run()
        profile = _Profiling(torch, session, ordinary, options, source, say).run()
    profile.warnings = [*session.warnings, *profile.warnings]
    profile.seconds = time.perf_counter() - began
    return profile


class _Profiling:
    def __init__(
        self,
        torch: Any,
        session: Session,
        ordinary: Ordinary,
        options: Options,
        source: str,
        say: Say,
    ) -> None:
        self._torch, self._session, self._ordinary = torch, session, ordinary
        self._options, self._source, self._say = options, source, say
        self._device = facts.device_of(torch, session)
        self._around = session.around(self._device.type, ordinary.watch)
        self._steps_per_run = max(1, ordinary.watch.step_count)
        self._stopwatch = Stopwatch(session, self._device, self._around, self._steps_per_run)
        self._outcomes = {name: ModeOutcome(name) for name in self._wanted()}
        self._now: ModeOutcome | None = None
        self._profile = Profile(modes=[], now=None, same_as_now=self._same_as_now())

    def _wanted(self) -> list[str]:
        return [mode for mode in MODES if mode == REFERENCE or mode in self._options.modes]

    def _same_as_now(self) -> str | None:
        if self._device.type != "cuda":
            return REFERENCE
        return {(False, False): REFERENCE, (True, True): "tf32"}.get(tf32_is_on(self._torch))

    def run(self) -> Profile:
        """Make all passes."""
        profile, options = self._profile, self._options
        variants = self._warm_variants()
        found = self._timed(variants)
        self._peaks(variants)
        checking = Checking(
            self._session,
            self._around,
            steps=options.steps,
            steps_per_run=self._steps_per_run,
            run_seconds=variants[REFERENCE].run_seconds if REFERENCE in variants else 0.0,
            budget_seconds=NUMERICS_SHARE * options.limit_seconds,
        )
        try:
            self._looked_into(variants, checking)
        finally:
            checking.forget()  # an interrupt, too, lets go of the driver
        if options.compile:
            self._compiled(variants)
        profile.modes = list(self._outcomes.values())
        profile.now = self._now
        profile.cell = f"{zlib.crc32(self._source.encode()):08x}"
        profile.steps_per_run = self._ordinary.watch.step_count
        profile.numerics_steps = checking.steps_compared
        profile.environment = self._environment()
        profile.warnings += facts.warnings_of(
            self._torch, self._session, self._ordinary, self._around, self._device
        )
        if found is not None and found.doubt:
            profile.warnings.append(found.doubt)
        profile.warnings += checking.warnings
        self._answer()
        return profile

    def _warm_variants(self) -> dict[str, Variant]:
        names = list(self._outcomes)
        variants = {name: Variant(name, name) for name in names}
        if self._profile.same_as_now not in names:
            variants[NOW] = Variant(NOW, NOW)
            self._now = ModeOutcome(NOW)
        for place, name in enumerate(list(variants)):
            self._say(0.05 + 0.15 * place / len(variants), f"warming up {name}")
            try:
                if name != NOW:
                    check(self._torch, name, self._device, self._around)
                self._stopwatch.warm_up(variants[name])
            except (GpuPerfError, VariantFailed) as error:
                self._failed(variants, name, error)
        if REFERENCE not in variants:
            why = self._outcomes[REFERENCE].error or {}
            raise GpuPerfError(
                "reference_failed",
                f"The cell ran as it is, but not in fp32, which all else is held against: {why.get('message', '')}",
                "See whether the cell sets a format by itself.",
            )
        return variants

    def _failed(self, variants: dict[str, Variant], name: str, error: Exception) -> None:
        outcome = self._outcome(name)
        outcome.error = described(error)
        variants.pop(name, None)
        self._released()

    def _released(self) -> None:
        gc.collect()
        if self._device.type == "cuda":
            self._torch.cuda.empty_cache()

    def _outcome(self, name: str) -> ModeOutcome:
        if name == NOW:
            assert self._now is not None
            return self._now
        return self._outcomes[name]

    def _timed(self, variants: dict[str, Variant]) -> Interleaved | None:
        rigorous = self._options.rigorous
        while variants:
            for each in variants.values():
                each.host_seconds, each.device_seconds = [], []
            try:
                found = self._stopwatch.interleaved(
                    variants,
                    target_ratio=RIGOROUS_RATIO if rigorous else QUICK_RATIO,
                    limit_seconds=self._options.limit_seconds,
                    progress=lambda ratio, words: self._say(0.2 + 0.35 * ratio, words),
                )
            except VariantFailed as error:
                self._failed(variants, error.name, error)
                continue
            for name, variant in variants.items():
                self._fill_times(self._outcome(name), name, variant, found)
            return found
        return None

    def _fill_times(
        self, outcome: ModeOutcome, name: str, variant: Variant, found: Interleaved
    ) -> None:
        outcome.samples = found.samples[name]
        outcome.step_seconds = found.median(name)
        outcome.host_seconds = interval_or_none(variant.host_seconds)
        outcome.device_seconds = interval_or_none(variant.device_seconds)
        outcome.steps_skipped = variant.steps_skipped
        if REFERENCE in found.samples:
            outcome.speedup = found.speedup(name, REFERENCE)
        now = self._profile.same_as_now or NOW
        if now in found.samples:
            outcome.speedup_over_now = found.speedup(name, now)

    def _peaks(self, variants: dict[str, Variant]) -> None:
        for name, variant in list(variants.items()):
            try:
                peak = self._stopwatch.peak(variant)
            except VariantFailed as error:
                self._failed(variants, name, error)
                continue
            if peak is not None:
                outcome = self._outcome(name)
                outcome.peak_allocated_bytes, outcome.peak_reserved_bytes = peak

    def _looked_into(self, variants: dict[str, Variant], checking: Checking) -> None:
        for place, name in enumerate(list(variants)):
            outcome = self._outcome(name)
            self._say(0.6 + 0.25 * place / len(variants), f"looking into {name}")
            try:
                outcome.dtypes = checking.census(name)
                if self._device.type == "cuda":
                    outcome.kernels = checking.kernels(name)
                    uuid = uuid_of(self._torch, self._device)
                    outcome.tensor_active_ratio = checking.tensor_active_ratio(name, uuid)
                if self._options.numerics and name != NOW:
                    outcome.numerics = checking.numerics(name)
                if self._options.rigorous and self._device.type == "cuda":
                    outcome.energy_joules = checking.energy(name, outcome.step_seconds)
            except Exception as error:  # noqa: BLE001  (it was timed: that stands, and the reason is told)
                outcome.numerics = outcome.numerics or {
                    "verdict": "unknown",
                    "sentence": f"It could not be looked into: {described(error)['message']}",
                }
                self._released()

    def _compiled(self, variants: dict[str, Variant]) -> None:
        try:
            compilation = Compilation(self._session, self._device)
        except GpuPerfError as error:
            self._profile.warnings.append(f"Nothing was compiled. {error.message} {error.hint}")
            return
        modes = [name for name in variants if name != NOW]
        for place, mode in enumerate(modes):
            name = f"{mode}+compile"
            self._say(0.85 + 0.13 * place / len(modes), f"compiling for {mode}")
            outcome = self._outcomes[name] = ModeOutcome(name)
            variant = Variant(name, mode, prepare=compilation.in_place)
            try:
                compilation.begin()
                outcome.compiled = compilation.measure(self._stopwatch, variant)
                self._compiled_times(outcome, variant, variants)
                peak = self._stopwatch.peak(variant)
                if peak is not None:
                    outcome.peak_allocated_bytes, outcome.peak_reserved_bytes = peak
            except VariantFailed as error:
                outcome.error = described(error)
                self._released()
            finally:
                compilation.end()

    def _compiled_times(
        self, outcome: ModeOutcome, variant: Variant, variants: dict[str, Variant]
    ) -> None:
        now = self._profile.same_as_now or NOW
        beside = {
            each: Variant(each, variants[each].mode, run_seconds=variants[each].run_seconds)
            for each in dict.fromkeys((REFERENCE, now, variant.mode))
            if each in variants
        }
        found = self._stopwatch.interleaved(
            {**beside, variant.name: variant},
            target_ratio=QUICK_RATIO,
            limit_seconds=COMPILE_SHARE * min(QUICK_SECONDS, self._options.limit_seconds),
            progress=lambda ratio, words: None,
        )
        self._fill_times(outcome, variant.name, variant, found)
        assert outcome.compiled is not None
        outcome.compiled["speedup_over_eager"] = found.speedup(variant.name, variant.mode)

    def _environment(self) -> dict[str, Any]:
        found: dict[str, Any] = dict(describe(self._torch, self._device))
        found["steps_per_run"] = self._ordinary.watch.step_count
        return found

    def _answer(self) -> None:
        profile, torch, session = self._profile, self._torch, self._session
        advice.choose(profile)
        known = facts.facts_of(torch, session, self._ordinary, self._options.compile)
        advice.explain(profile, known)
        mode, _, compiled = (profile.recommended or NOW).partition("+")
        if mode in (NOW, profile.same_as_now) and not compiled:
            return
        names = tuple(known["model_names"]) if compiled else ()
        profile.code = rewriting.code_for(
            self._source,
            mode,
            self._device.type,
            compiled=names,
            has_scaler=self._around.has_scaler,
            is_forward=rewriting.calls_of(session.subject.namespace, torch),
        )
