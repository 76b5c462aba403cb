"""Profile a few steps of a running loop with torch's profiler, starting and stopping at step boundaries."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from jupyter_gpuperf.loops.step_profile import NEXT, ProfileEvent, StepProfile, summarize_profile
from jupyter_gpuperf.measure.profiling import keeping_events
from jupyter_gpuperf.messages import Message

SKIPPED_STEPS: Final = 1
"""Number of steps skipped at the beginning: workers start in the first step, and caches are cold."""

PLAIN_STEPS: Final = 3
"""Number of steps timed before the profiler starts, to find out how much the profiler slows them down."""

WARM_STEPS: Final = 1
"""Number of profiled steps that are discarded, because the first contains the start of the profiler."""

MOST_CUT_SHORT: Final = 3
"""If this many epochs end while they are profiled, give up: the loop ends too early."""

Done = Callable[[StepProfile | None, str], None]


@dataclass(eq=False)
class ProfileWindow:
    """Looks at a loop until enough of its steps have been profiled; see :class:`StepObserver`.

    Parameters
    ----------
    torch
        The torch module.
    steps
        Number of steps to profile.
    done
        Called once, in the thread of the loop, with the profile, or with ``None`` and the reason why there is none.
    finish
        Called when the loop need not be profiled any longer.
    """

    torch: Any
    steps: int
    done: Done
    finish: Callable[[], None]

    def __post_init__(self) -> None:
        self._owner: Any = None
        self._is_of_loader = True
        self._asked = 0
        self._first_asked = 0.0
        self._plain_step_seconds: float | None = None
        self._began = 0.0
        self._profile: Any = None
        self._cut_short = 0

    def draw(self, iterator: Any, original: Callable[[Any], Any]) -> Any:
        """Return the iterator's next batch. Only the first iterator that is passed here is profiled."""
        if self._owner is None:
            self._owner, self._is_of_loader = iterator, True
        if self._owner is not iterator:
            return original(iterator)
        self._guarded(self._border)
        try:
            if self._profile is None:
                return original(iterator)
            with self.torch.profiler.record_function(NEXT):
                return original(iterator)
        except BaseException:
            self._guarded(self._ended_early)
            raise

    def step_ended(self, optimizer: Any) -> None:
        """Begin the next step of a loop without a loader."""
        if self._owner is None:
            self._owner, self._is_of_loader = optimizer, False
        if self._owner is optimizer:
            self._guarded(self._border)

    def cell_ended(self) -> None:
        """Discard what was profiled: the loop has ended."""
        if self._owner is not None:
            self._guarded(self._ended_early)

    def _border(self) -> None:
        self._asked += 1
        now = time.perf_counter()
        if self._asked == SKIPPED_STEPS + 1:
            self._first_asked = now
        elif self._asked == SKIPPED_STEPS + PLAIN_STEPS + 1:
            self._plain_step_seconds = (now - self._first_asked) / PLAIN_STEPS
            self._start()
        elif self._profile is not None:
            if self._asked == SKIPPED_STEPS + PLAIN_STEPS + 1 + WARM_STEPS + self.steps:
                self._stop()
            else:
                self._profile.step()

    def _start(self) -> None:
        self._began = time.perf_counter()
        profiler = self.torch.profiler
        activities = [profiler.ProfilerActivity.CPU]
        if self.torch.cuda.is_available():
            activities.append(profiler.ProfilerActivity.CUDA)
        profile = profiler.profile(
            activities=activities,
            schedule=profiler.schedule(wait=0, warmup=WARM_STEPS, active=self.steps, repeat=1),
            **keeping_events(profiler.profile),
        )
        profile.start()
        self._profile = profile

    def _stop(self) -> None:
        profile, self._profile = self._profile, None
        if self.torch.cuda.is_available():
            self.torch.cuda.synchronize()  # otherwise the last step's GPU kernels would be missing
        profile.step()
        profile.stop()
        explanation = summarize_profile(
            _events(profile),
            plain_step_seconds=self._plain_step_seconds,
            cost_seconds=time.perf_counter() - self._began,
            has_loader=self._is_of_loader,
        )
        self._end(explanation, Message("the profile contains no whole step"))

    def _ended_early(self) -> None:
        self._owner, self._asked = None, 0  # the loop was too short: use the next one
        if self._profile is None:
            return
        profile, self._profile = self._profile, None
        profile.stop()
        self._cut_short += 1
        if self._cut_short == MOST_CUT_SHORT:
            self._end(None, Message("the loop ended too early"))

    def _end(self, explanation: StepProfile | None, reason: str) -> None:
        self.finish()
        self.done(explanation, reason)

    def _guarded(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001  (such as another running profiler: the loop must continue)
            self._profile = None
            self._end(None, f"{type(error).__name__}: {error}")


def _events(profile: Any) -> Iterator[ProfileEvent]:
    for each in profile.events():
        yield ProfileEvent(
            name=each.name,
            on_device=each.device_type.name != "CPU",
            began=each.time_range.start / 1e6,  # torch's times are in microseconds
            ended=each.time_range.end / 1e6,
            self_cpu_seconds=each.self_cpu_time_total / 1e6,
        )
