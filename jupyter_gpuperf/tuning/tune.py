"""Tune a loader from end to end: probe items, search, report the outcome.

Standard library only at module level, except what trials need.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from jupyter_gpuperf.benchmarks.declaration import Context
from jupyter_gpuperf.errors import GpuPerfError, Unavailable
from jupyter_gpuperf.loaders.device_timeline import timeline_of
from jupyter_gpuperf.loaders.printed_code import reason_as_comments
from jupyter_gpuperf.loaders.setting import Setting
from jupyter_gpuperf.loaders.subject import TuningSubject, default_start_method
from jupyter_gpuperf.measure.device import started_device
from jupyter_gpuperf.measure.environment import describe
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.tuning import verdict
from jupyter_gpuperf.tuning.budget import Budget, current_budget
from jupyter_gpuperf.tuning.probe import Probe, ProbeFailed, probe, probe_in_process, repeats_items
from jupyter_gpuperf.tuning.request import TuneRequest, warm_up
from jupyter_gpuperf.tuning.restored_state import RestoredState
from jupyter_gpuperf.tuning.safety import suppressing_iterator_errors
from jupyter_gpuperf.tuning.search import search
from jupyter_gpuperf.tuning.space import SearchResult, Space, build_space
from jupyter_gpuperf.tuning.time_limit import Countdown, TimeIsUp
from jupyter_gpuperf.tuning.trial import Trial
from jupyter_gpuperf.tuning.trial_runner import START_SECONDS, TrialRunner

PROBE_SHARE: Final = 0.05
STEP_SHARE: Final = 0.05
"""Share of the total time for the step on batches that are ready."""
READY_BATCHES: Final = 4
CODE_SHARE: Final = 0.03
"""Share of the total time for building the loader of the printed code, and comparing it with the user's."""
CUDA_IN_FORK: Final = "Cannot re-initialize CUDA in forked subprocess"
IGNORED_WARNINGS: Final = "This DataLoader will create|.*pin_memory.*|.*multi-threaded, use of fork"
"""Warnings of torch and Python about the settings that are tried; the table shows their effect."""


def tune_loader(
    given: object,
    name: str,
    request: TuneRequest,
    context: Context,
    on_trial: Callable[[Trial], object] = lambda trial: None,
    names: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Find the best settings for a loader on this machine; return the outcome as plain data.

    ``recommended`` is the best setting, ``code`` the line that creates the loader with it, ``summary`` what it gains.
    ``trials`` has a dictionary per trial in the order they were run; see :meth:`Trial.to_dict`. ``regime`` is ``warm``
    or ``cold`` (page cache or storage), ``mixed``, or ``no files``. ``limit`` is the bottleneck of the recommended
    setting (``step``, ``cpu``, ``quota``, ``others``, ``storage``, ``transfer`` or ``unknown``), ``advice`` what to do
    about it. ``gains`` is how many times as fast as the current setting (``present``) and the common recipe (``golden``)
    it is, each an interval. ``step_seconds``, the time with batches that are ready, and ``enough`` are ``None`` without a
    step or a target rate.

    Parameters
    ----------
    given
        A DataLoader, an object that wraps one, or a dataset.
    name
        Its name in the notebook.
    on_trial
        Called at the end of each trial without the step.
    names
        The notebook's variables by name; the generated code refers to them.

    Raises
    ------
    BadRequest
        ``not_a_loader``, ``batch_size_is_fixed``, ``sampler_not_copied``, or a request that is out of range.
    GpuPerfError
        ``data_set_failed``: no item could be loaded; with the reason.
    Unavailable
        ``no_time``: the dataset or the step took too long for the total time.
    """

    clock = Countdown(request.budget_seconds, context)
    with (
        # Outermost: no alarm may interrupt the restoring of random states and of what the step changed.
        RestoredState(request.step, given) as state,
        warnings.catch_warnings(),
        suppressing_iterator_errors(),
        clock.alarm as alarm,
    ):
        warnings.filterwarnings("ignore", IGNORED_WARNINGS)
        # Restoring takes about as long as saving did.
        clock.reserved_seconds = clock.passed() + CODE_SHARE * request.budget_seconds
        try:
            with alarm.within(clock.left() + 2 * CODE_SHARE * request.budget_seconds):
                subject = TuningSubject(given, name, request.batch_size, names)
                outcome = _Tuning(subject, request, clock, on_trial, state.models).run()
        except TimeIsUp:
            message = "The dataset returned nothing to measure within {seconds:.0f} s."
            hint = "Load an item in its own cell. If it is only slow, increase budget_seconds."
            raise Unavailable("no_time", message, hint, seconds=request.budget_seconds) from None
    outcome["warnings"] += state.warnings()
    return outcome


@dataclass
class _Tuning:
    """One tuning in progress."""

    subject: TuningSubject
    request: TuneRequest
    clock: Countdown
    on_trial: Callable[[Trial], object]
    models: Sequence[Any]
    budget: Budget = field(default_factory=current_budget)
    start_method: str | None = None
    warnings: list[str] = field(default_factory=list)

    def run(self) -> dict[str, Any]:
        import torch

        probed = self._probe_items()
        if 8 * probed.batch_seconds > self.request.budget_seconds:
            raise Unavailable(
                "no_time",
                "A batch takes {seconds:.1f} s, too long to compare settings in {budget:.0f} s.",
                "Allow more time: budget_seconds={enough}.",
                seconds=probed.batch_seconds,
                budget=self.request.budget_seconds,
                enough=math.ceil(40 * probed.batch_seconds),
            )
        bench = TrialRunner(
            self.subject,
            probed,
            self.budget,
            self.clock,
            to_gpu=torch.cuda.is_available() and not probed.uses_cuda,
            most_workers=self._stream_limit(),
            on_trial=self.on_trial,
        )
        with contextlib.closing(bench.worker_pause):
            self._prepare_step(bench)
            space = build_space(bench, kept=self.request.kept, start_method=self.start_method)
            found = search(space, bench, self.clock.left)
        return self._outcome(found, space, probed)

    def _probe_items(self) -> Probe:
        limit = max(0.5, PROBE_SHARE * self.request.budget_seconds)
        timeout = max(1.0, self.request.budget_seconds / 2)
        try:
            return probe(self.subject, limit, timeout)
        except ProbeFailed as error:
            if CUDA_IN_FORK not in error.text:
                message = "No item could be loaded: {reason}."
                hint = "To see where it fails, run next(iter({loader})) in its own cell."
                named = {"reason": error.message, "loader": self.subject.name}
                raise GpuPerfError("data_set_failed", message, hint, **named) from None
        try:
            found = probe(self.subject, limit, timeout, method="forkserver")
            self.start_method = "forkserver"
        except (ProbeFailed, GpuPerfError) as error:
            warning = "Workers can't be used, because items use CUDA: {reason}"
            self.warnings.append(Message(warning, reason=error.message))
            found = probe_in_process(self.subject, limit)
        return found

    def _stream_limit(self) -> int | None:
        """Return how many workers a stream has work for; ``None`` for any number."""
        shards = self.subject.most_workers
        if shards is not None or not self.subject.is_stream:
            return shards
        if repeats_items(self.subject, max(1.0, self.clock.left() / 4)):
            repeated = "With two workers, every item comes twice; use get_worker_info() to split the stream."
            self.warnings.append(Message(repeated))
            return 1
        return None

    def _prepare_step(self, bench: TrialRunner) -> None:
        """Warm the step up, and measure it on batches that are ready."""
        import torch

        request, limit = self.request, max(0.5, STEP_SHARE * self.request.budget_seconds)
        if request.target_rate is not None:
            seconds = 1 / request.target_rate
            # Sleep, because a step on the GPU leaves the CPU free.
            bench.step, bench.ready = lambda batch: time.sleep(seconds), [None]
        elif request.step is None:
            bench.timeline = timeline_of(torch, ())
            return
        else:
            bench.step, bench.ready = request.step, self._first_batches(bench)
            bench.timeline = timeline_of(torch, self.models)
        self.clock.report(Message("timing the step"))
        try:
            warm_up(bench.step, bench.ready, bench.timeline, 2 * limit)
            bench.measure_ready(limit / 2)
        except TimeIsUp:
            message = "The step did not end within {seconds:.0f} s."
            hint = "Call it with one batch in its own cell. If it is only slow, increase budget_seconds."
            raise Unavailable("no_time", message, hint, seconds=request.budget_seconds) from None
        except Exception as error:  # the user's own code
            message = "The step raised {error!r}."
            hint = "It is called with a batch as the loader returns it."
            raise GpuPerfError("step_failed", message, hint, error=error) from error

    def _first_batches(self, bench: TrialRunner) -> list[Any]:
        """Return a few batches as the training gets them, made in this process."""
        seconds = bench.probe.batch_seconds
        setting = Setting.of(num_workers=0, pin_memory=bench.to_gpu)
        count = max(1, min(READY_BATCHES, int(STEP_SHARE * self.clock.left() / max(1e-9, seconds))))
        loader, _ = self.subject.make_loader(setting, 0.0)
        with self.clock.alarm.within(min(self.clock.left(), START_SECONDS + 3 * count * seconds)):
            return list(itertools.islice(loader, count))

    def _outcome(self, found: SearchResult, space: Space, probed: Probe) -> dict[str, Any]:
        best, subject = found.best, self.subject
        if best is None:
            raise GpuPerfError(
                "nothing_measured",
                "No setting could be measured: {failures}.",
                "Try: for batch in {loader}: pass. If it is only slow, increase budget_seconds.",
                failures=_failures(found),
                loader=subject.name,
            )
        best.roles.add("recommended")
        regime = verdict.regime_of_trial(best, probed)
        return {
            "loader": subject.name,
            "trials": [each.to_dict(space.batches) for each in found.trials],
            "recommended": best.setting.to_dict(),
            "code": self._code(best.setting),
            "regime": regime,
            "regime_summary": verdict.data_source_summary(
                regime, subject, copies=space.pinning and not space.step
            ),
            "summary": verdict.summary_of(best, found, space),
            **verdict.describe_bottleneck(best, found, probed, self.budget),
            "warnings": [*self.warnings, *verdict.doubts(probed, self.budget, best)],
            "batch_size": subject.batch_size,
            "batches_per_epoch": subject.batches_per_epoch,
            "step_seconds": best.step_seconds,
            "enough": found.enough,
            "gains": verdict.gains_of(best, found),
            "probe": probed.to_dict(),
            "budget": asdict(self.budget),
            "environment": self._environment(),
            "seconds": self.clock.passed(),
        }

    def _environment(self) -> dict[str, Any]:
        """Return the versions and devices in use, and what identifies the dataset."""
        import torch

        kind = type(self.subject.dataset)
        return {
            **describe(torch, started_device(torch)),
            "start_method": default_start_method(),
            "data_set": f"{kind.__module__}.{kind.__qualname__}",
            "data_set_items": self.subject.item_count,
            "memory_limit_bytes": self.budget.memory_limit_bytes,
        }

    def _code(self, setting: Setting) -> str:
        try:
            limit = max(0.0, self.clock.left()) + CODE_SHARE * self.request.budget_seconds
            with self.clock.alarm.within(limit):
                return self.subject.code(setting)
        except TimeIsUp:  # the measurements are valid without the code
            return reason_as_comments("Time ran out before a loader like yours was built.", setting)


def _failures(found: SearchResult) -> list[Message]:
    """Return up to four reasons for failures, each with the first setting that failed for it."""
    first: dict[str, str] = {}
    for each in found.trials:
        if each.error:
            first.setdefault(each.error, each.setting.describe())
    failures = list(first.items())[:4]
    return [Message("{setting}: {reason}", setting=words, reason=why) for why, words in failures]
