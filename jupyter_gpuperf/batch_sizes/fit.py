"""Find out what fits: run the user's step at several batch sizes, and restore everything afterwards."""

from __future__ import annotations

import contextlib
import math
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jupyter_gpuperf.batch_sizes.attempt import Step, StepRunner
from jupyter_gpuperf.batch_sizes.climb import Climb
from jupyter_gpuperf.batch_sizes.device_meter import CudaMeter, HostMeter
from jupyter_gpuperf.batch_sizes.outcome import outcome_of
from jupyter_gpuperf.batch_sizes.phase_peaks import OptimizerUpdates
from jupyter_gpuperf.batch_sizes.timing import TimedSizes
from jupyter_gpuperf.benchmarks.declaration import Context
from jupyter_gpuperf.errors import BadRequest, Unavailable
from jupyter_gpuperf.loaders.device_timeline import timeline_of
from jupyter_gpuperf.loaders.resized_batches import ResizedBatches
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.schemas import BatchFit
from jupyter_gpuperf.tuning.restored_state import RestoredState
from jupyter_gpuperf.tuning.safety import suppressing_iterator_errors
from jupyter_gpuperf.tuning.time_limit import Countdown, TimeIsUp
from jupyter_gpuperf.tuning.tune import IGNORED_WARNINGS

CODE_SHARE: Final = 0.03
"""Share of the time for building the loader of the printed code, and comparing it with the user's."""


@dataclass(frozen=True, kw_only=True)
class FitRequest:
    """What the user asks for.

    Attributes
    ----------
    state
        Objects that the step changes, but that can't be found through its variables.
    budget_seconds
        Time for everything.
    margin_ratio
        The share of the memory that must stay free at the peak.
    """

    state: Sequence[Any] = ()
    budget_seconds: float = 60.0
    margin_ratio: float = 0.05

    def __post_init__(self) -> None:
        limits = {"budget_seconds": (2, 86400), "margin_ratio": (0, 0.9)}
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                message, hint = (
                    "{name} = {value!r} is out of range.",
                    "{name} must be from {low} to {high}.",
                )
                named = {"name": name, "value": value, "low": low, "high": high}
                raise BadRequest("parameter_out_of_range", message, hint, **named)


def fit_batch_size(
    torch: Any,
    step: Step,
    given: Any,
    request: FitRequest,
    context: Context,
    *,
    called: tuple[str, str] = ("step", "loader"),
    names: Mapping[str, Any] | None = None,
    meter_of: Callable[[Any, Sequence[Any]], HostMeter] | None = None,
) -> BatchFit:
    """Run the step at several batch sizes; return peak memory and samples per second of each.

    Parameters
    ----------
    given
        A DataLoader, an object that wraps one, another iterable of batches, or a dataset.
    called
        The names of step and loader in the notebook.
    names
        The notebook's variables by name; the generated code refers to them.
    meter_of
        Returns the meter of the device of these models.

    Raises
    ------
    BadRequest
        ``no_state_found``: the step reaches no model, so nothing could be restored. ``batch_size_is_fixed``,
        ``empty_loader``, ``not_a_loader``, ``sampler_not_copied``.
    GpuPerfError
        ``step_failed``, ``namespace_too_large``, ``snapshot_too_large``.
    Unavailable
        ``no_time``: no batch size was run in time. ``nothing_fits``: not even one sample fits.
    """
    clock = Countdown(request.budget_seconds, context)
    state = RestoredState(step, given, state=request.state, on_host=True)
    # The last to end: what the restoring frees belongs to the memory that is returned.
    with contextlib.ExitStack() as afterwards, state:
        if not state.models:
            raise BadRequest(
                "no_state_found",
                "The step refers to no model, so its changes could not be restored.",
                "Pass the objects that it changes: state=[model, optimizer]",
            )
        meter = (meter_of or meter_of_models)(torch, state.models)
        afterwards.enter_context(meter.counters_kept())
        updates = OptimizerUpdates()
        afterwards.enter_context(updates.watched())
        # Restoring takes about as long as saving did.
        clock.reserved_seconds = clock.passed() + CODE_SHARE * request.budget_seconds
        with warnings.catch_warnings(), suppressing_iterator_errors(), clock.alarm:
            warnings.filterwarnings("ignore", IGNORED_WARNINGS)
            try:
                fit = _Fit(
                    torch=torch,
                    step=step,
                    given=given,
                    request=request,
                    clock=clock,
                    state=state,
                    meter=meter,
                    updates=updates,
                    called=called,
                    names=names,
                ).run()
            except BaseException as error:
                # Otherwise, an interrupt's traceback keeps what the step had allocated.
                traceback.clear_frames(error.__traceback__)
                raise
    fit.warnings.extend([*state.warnings(), *meter.notes])
    return fit


def meter_of_models(torch: Any, models: Sequence[Any]) -> HostMeter:
    """Return the meter of the first CUDA device on which the models have parameters; or that of the CPU."""
    devices = (each.device for module in models for each in module.parameters())
    on_cuda = [each for each in devices if each.type == "cuda"]
    return CudaMeter(torch, on_cuda[0], map(str, on_cuda)) if on_cuda else HostMeter()


@dataclass(kw_only=True)
class _Fit:
    """One fit in progress."""

    torch: Any
    step: Step
    given: Any
    request: FitRequest
    clock: Countdown
    state: RestoredState
    meter: HostMeter
    updates: OptimizerUpdates
    called: tuple[str, str]
    names: Mapping[str, Any] | None

    def run(self) -> BatchFit:
        clock, models = self.clock, self.state.models
        runner = StepRunner(
            torch=self.torch,
            step=self.step,
            batches=self._batches(),
            meter=self.meter,
            timeline=timeline_of(self.torch, models),
            restore=self._restore,
            updates=self.updates,
        )
        climb = Climb(
            runner, clock, self.request.margin_ratio, self.request.budget_seconds, self._report
        )
        climb.run()
        if not any(each.runs for each in climb.attempts):
            raise self._nothing_ran(climb)
        self._restore()
        ran = list(filter(climb.fits, climb.attempts))
        with (
            contextlib.closing(TimedSizes(runner, ran, self._report)) as timed,
            contextlib.suppress(TimeIsUp),  # the rounds so far count
            clock.alarm.within(max(0.1, clock.left())),
        ):
            timed.run(runner.batches.own_size, clock.left())
        margin_ratio = self.request.margin_ratio
        return outcome_of(climb, runner.batches, margin_ratio, clock, models, self.called)

    def _batches(self) -> ResizedBatches:
        try:
            with self.clock.alarm.within(self.clock.left()):
                return ResizedBatches(self.given, self.called[1], self.names)
        except TimeIsUp:
            raise self._no_time() from None

    def _restore(self) -> None:
        with self.clock.alarm.suspended():
            self.state.restore()
            warnings.filterwarnings("ignore", IGNORED_WARNINGS)  # the filters are restored, too

    def _report(self, size: int) -> None:
        self.clock.report(Message("batch size {size}", size=size))

    def _nothing_ran(self, climb: Climb) -> Unavailable:
        sizes = [each.size for each in climb.attempts if each.out_of_memory]
        if not sizes:
            return self._no_time()
        message, hint = "Not even a batch of {size} fits.", "See who holds the memory: %gpumem"
        return Unavailable("nothing_fits", message, hint, size=min(sizes))

    def _no_time(self) -> Unavailable:
        seconds = self.request.budget_seconds
        message = "No batch size was run within {seconds:.0f} s."
        hint = "Call the step with one batch in its own cell. If it is only slow, set budget_seconds={enough} or more."
        return Unavailable("no_time", message, hint, seconds=seconds, enough=math.ceil(4 * seconds))
