"""Tune a loader from end to end: probe items, search, report the outcome.

Standard library only at module level, except what trials need.
"""

from __future__ import annotations

import contextlib
import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from jupyter_gpuperf.benchmarks.declaration import Context
from jupyter_gpuperf.errors import GpuPerfError, Unavailable
from jupyter_gpuperf.loaders.printed_code import refusal
from jupyter_gpuperf.loaders.setting import Setting
from jupyter_gpuperf.loaders.subject import Subject, default_start_method
from jupyter_gpuperf.measure.device import started_device
from jupyter_gpuperf.measure.environment import describe
from jupyter_gpuperf.state.roots import Roots
from jupyter_gpuperf.state.snapshot import kept
from jupyter_gpuperf.tuning.bench import Bench
from jupyter_gpuperf.tuning.budget import Budget, current_budget
from jupyter_gpuperf.tuning.consumer import Step, settled, step_seconds_of
from jupyter_gpuperf.tuning.outcome import Outcome
from jupyter_gpuperf.tuning.probe import Probe, ProbeFailed, probe, probe_in_process
from jupyter_gpuperf.tuning.request import TuneRequest
from jupyter_gpuperf.tuning.search import search
from jupyter_gpuperf.tuning.sharding import is_repeated
from jupyter_gpuperf.tuning.space import Found, Space, build_space
from jupyter_gpuperf.tuning.suppressed_errors import thrown_away_quietly
from jupyter_gpuperf.tuning.time_limit import Countdown, TimeIsUp
from jupyter_gpuperf.tuning.trial import Trial
from jupyter_gpuperf.tuning.verdict import (
    doubts,
    limit_of,
    regime_of_trial,
    regime_words,
    summary_of,
)

PROBE_SHARE: Final = 0.05
CODE_SECONDS: Final = 10.0
CUDA_IN_FORK: Final = "Cannot re-initialize CUDA in forked subprocess"


def tune_loader(
    given: object,
    name: str,
    wanted: TuneRequest,
    context: Context,
    on_trial: Callable[[Trial], object] = lambda trial: None,
    names: Mapping[str, Any] | None = None,
) -> Outcome:
    """Find the best settings for a loader on this machine.

    Parameters
    ----------
    given
        A DataLoader, an object that wraps one, or a dataset.
    name
        Its name in the notebook.
    on_trial
        Called with each trial of a rate when it has ended.
    names
        The notebook's names, by which the generated code refers to the user's objects.

    Raises
    ------
    BadRequest
        ``not_a_loader``, ``batch_size_is_fixed``, ``sampler_not_copied``, or a request that is out of range.
    GpuPerfError
        ``data_set_failed``: no item could be loaded; with the reason.
    Unavailable
        ``no_time``: the dataset did not answer in time, or a batch takes longer than the total time.
    """
    import torch

    clock = Countdown(wanted.budget_seconds, context)
    with (
        # Outermost, so that no alarm interrupts restoring the step's changes and the random states.
        kept(torch, Roots.of_step(wanted.step)) as before,
        _quiet(),
        thrown_away_quietly(),
        clock.alarm as alarm,
    ):
        try:
            with alarm.within(clock.left()):
                subject = Subject(given, name, wanted.batch_size, names)
                outcome = _Tuning(subject, wanted, clock, on_trial).run()
        except TimeIsUp:
            raise Unavailable(
                "no_time",
                f"The data set gave nothing to measure within {wanted.budget_seconds:.0f} s.",
                "Take an item in a cell of its own: does it come? If it is only slow, give more time: budget_seconds.",
            ) from None
    if lost := before.not_restored:
        said = f"Of what the step changed, this was not put back: {', '.join(lost[:5])}."
        outcome = replace(outcome, warnings=[*outcome.warnings, said])
    return outcome


@dataclass
class _Tuning:
    """One tuning in progress."""

    subject: Subject
    wanted: TuneRequest
    clock: Countdown
    on_trial: Callable[[Trial], object]
    budget: Budget = field(default_factory=current_budget)
    start_method: str | None = None
    warnings: list[str] = field(default_factory=list)

    def run(self) -> Outcome:
        import torch

        looked = self._looked()
        self._refuse_what_takes_too_long(looked)
        bench = Bench(
            self.subject,
            looked,
            self.budget,
            self.clock,
            to_gpu=torch.cuda.is_available() and not looked.uses_cuda,
            most_workers=self._stream_limit(),
            on_trial=self.on_trial,
        )
        step, step_seconds = self._step(bench)
        space = build_space(
            bench,
            kept=self.wanted.kept,
            start_method=self.start_method,
            step=step,
            step_seconds=step_seconds,
        )
        found = search(space, bench, self.clock.left)
        return self._outcome(found, space, looked)

    def _looked(self) -> Probe:
        limit = max(0.5, PROBE_SHARE * self.wanted.budget_seconds)
        timeout = max(1.0, self.wanted.budget_seconds / 2)
        try:
            return probe(self.subject, limit, timeout)
        except ProbeFailed as error:
            if CUDA_IN_FORK not in error.text:
                raise GpuPerfError(
                    "data_set_failed",
                    f"No item could be loaded: {error}.",
                    f"Take an item in a cell of its own to see where: next(iter({self.subject.name})).",
                ) from None
        try:
            found = probe(self.subject, limit, timeout, method="forkserver")
            self.start_method = "forkserver"
        except (ProbeFailed, GpuPerfError) as error:
            self.warnings.append(f"Workers can't be used: items use CUDA, and {error}")
            found = probe_in_process(self.subject, limit)
        return found

    def _refuse_what_takes_too_long(self, looked: Probe) -> None:
        least = 8 * looked.batch_seconds
        if least > self.wanted.budget_seconds:
            raise Unavailable(
                "no_time",
                f"A batch takes one process {looked.batch_seconds:.1f} s: in "
                f"{self.wanted.budget_seconds:.0f} s nothing could be compared.",
                f"Give it more time: budget_seconds={math.ceil(40 * looked.batch_seconds)}.",
            )

    def _stream_limit(self) -> int | None:
        """Return how many workers a stream has work for; ``None`` for any number."""
        shards = self.subject.most_workers
        if shards is not None or not self.subject.is_stream:
            return shards
        if is_repeated(self.subject, max(1.0, self.clock.left() / 4)):
            self.warnings.append(
                "Each worker of this stream gives all its items: with two workers every item comes twice. "
                "Divide it by torch.utils.data.get_worker_info() to use more than one."
            )
            return 1
        return None

    def _step(self, bench: Bench) -> tuple[Step | None, float | None]:
        wanted = self.wanted
        if wanted.target_rate is not None:
            seconds = 1 / wanted.target_rate
            # Sleep, because a step on the GPU leaves the CPU free.
            return lambda batch: time.sleep(seconds), seconds
        if wanted.step is None:
            return None, None
        self.clock.say("timing the step")
        step = settled(wanted.step)
        batch = bench.first_batch()
        try:
            return step, step_seconds_of(step, batch, max(0.5, wanted.budget_seconds / 20))
        except TimeIsUp:
            raise Unavailable(
                "no_time",
                f"The step did not come to an end within {wanted.budget_seconds:.0f} s.",
                "Call it with one batch in a cell of its own. If it is only slow, give more time: budget_seconds.",
            ) from None
        except Exception as error:  # the user's own code
            message = f"The step raised {type(error).__name__}: {error}"
            hint = "It is called with a batch as the loader gives it."
            raise GpuPerfError("step_failed", message, hint) from error

    def _outcome(self, found: Found, space: Space, looked: Probe) -> Outcome:
        best, subject = found.best, self.subject
        if best is None:
            raise GpuPerfError(
                "nothing_measured",
                f"No setting could be measured: {'; '.join(_failures(found))}.",
                f"Does it go through a cell of its own: for batch in {subject.name}: pass? "
                "If it is only slow, give it more time: budget_seconds.",
            )
        best.roles.add("recommended")
        limit = limit_of(best, found, space, looked, self.budget)
        regime = regime_of_trial(best, looked)
        regime_said = regime_words(regime, subject)
        if space.pinning and space.step is None:
            regime_said += " Copying each batch to the GPU is part of the time."
        return Outcome(
            loader=subject.name,
            trials=[each.to_dict(space.batches, space.step_seconds) for each in found.trials],
            recommended=best.setting.to_dict(),
            code=self._code(best.setting),
            regime=regime,
            regime_summary=regime_said,
            summary=summary_of(best, found, space),
            limit=limit.code,
            limit_summary=limit.summary,
            advice=limit.advice,
            warnings=[*self.warnings, *doubts(looked, self.budget, best)],
            batch_size=subject.batch_size,
            batches_per_epoch=subject.batches_per_epoch,
            step_seconds=space.step_seconds,
            enough=found.enough,
            probe=looked.to_dict(),
            budget=self.budget.to_dict(),
            environment=self._environment(),
            seconds=self.clock.passed(),
        )

    def _environment(self) -> dict[str, Any]:
        """Return the environment, and the facts that identify the dataset."""
        import torch

        kind = type(self.subject.dataset)
        return {
            **describe(torch, started_device(torch)),
            "start_method": default_start_method(),
            "data_set": f"{kind.__module__}.{kind.__qualname__}",
            "data_set_items": self.subject.items,
            "memory_limit_bytes": self.budget.memory_limit_bytes,
        }

    def _code(self, setting: Setting) -> str:
        try:
            with self.clock.alarm.within(CODE_SECONDS):
                return self.subject.code(setting)
        except TimeIsUp:  # keep the measurements all the same
            return refusal("The time was up before a loader like yours was built.", setting)


def _failures(found: Found) -> list[str]:
    """Return the failures, each reason once with the first setting that met it."""
    first: dict[str, str] = {}
    for each in found.trials:
        if each.error:
            first.setdefault(each.error, each.setting.words())
    return [f"{words}: {reason}" for reason, words in first.items()][:4]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress warnings of torch and Python about the settings that are tried; the table shows their effect."""
    with warnings.catch_warnings():
        for each in (
            "This DataLoader will create",
            ".*pin_memory.*",
            ".*multi-threaded, use of fork",
        ):
            warnings.filterwarnings("ignore", message=each)
        yield
