"""Run trials. Each has a new loader, which is watched, limited in time, and closed at the end."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.loaders.setting import Setting
from jupyter_gpuperf.loaders.subject import TuningSubject
from jupyter_gpuperf.loaders.timing import BLOCK_SECONDS, BatchBlocks, copied_to_gpu
from jupyter_gpuperf.measure import resources
from jupyter_gpuperf.measure.statistics import mean_interval
from jupyter_gpuperf.measure.stopping import StopRule
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.tuning.budget import Budget
from jupyter_gpuperf.tuning.feasibility import infeasible_reason
from jupyter_gpuperf.tuning.probe import Probe
from jupyter_gpuperf.tuning.request import Step
from jupyter_gpuperf.tuning.safety import Watchdog, close, describe_failure
from jupyter_gpuperf.tuning.time_limit import Countdown, TimeIsUp
from jupyter_gpuperf.tuning.trial import FEWEST_TIMED_BLOCKS, Trial, Usage, is_slower

SLOW_BATCH_SECONDS: Final = 0.5
"""When batches take longer than this, a trial ends without waiting for the workers' current batches."""
START_SECONDS: Final = 5.0
FRESH_START_SECONDS: Final = 20.0
"""Start limit for workers that are not forked: each imports torch first."""


@dataclass
class TrialRunner:
    """Measures settings of one subject.

    Parameters
    ----------
    to_gpu
        Whether the time includes the copy of each batch to the GPU.
    clock
        Countdown for the whole tuning; also reports progress.
    most_workers
        Maximum useful number of workers: more would repeat a stream or have nothing to do. ``None`` without a limit.
    on_trial
        Called with each :meth:`measure_loading` trial when it has ended.
    """

    subject: TuningSubject
    probe: Probe
    budget: Budget
    clock: Countdown
    to_gpu: bool = False
    most_workers: int | None = None
    on_trial: Callable[[Trial], object] = lambda trial: None

    def measure_loading(
        self, setting: Setting, *, seconds: float, target_ratio: float, best: Trial | None = None
    ) -> Trial:
        """Measure how fast the loader returns batches when nothing else is done.

        Parameters
        ----------
        seconds
            Time for the blocks; at least three are taken, however long they last.
        best
            The best trial so far. A trial that is clearly slower is stopped early.
        """
        import torch

        def work(run: _Run) -> None:
            trial, size = run.trial, max(1, setting.num_workers)
            hooks: dict[str, Callable[..., object]] = {"on_start": run.on_start}
            if self.to_gpu:  # as in training; without copies, pinning has no effect
                hooks["on_batch"] = lambda batch: copied_to_gpu(batch, setting.pin_memory)
                hooks["on_block_end"] = torch.cuda.synchronize
            batches = BatchBlocks(run.loader, 1 + setting.in_flight_batches, **hooks)
            trial.startup_seconds = batches.startup_seconds
            if self.probe.batch_seconds < BLOCK_SECONDS:
                size = batches.block_length(size)
            usage, began = Usage([each.pid for each in run.processes]), time.perf_counter()
            rule = StopRule(
                target_ratio=target_ratio, limit_seconds=seconds, interval_of=mean_interval
            )
            trial.blocks = rule.blocks
            while len(rule.blocks) < FEWEST_TIMED_BLOCKS or not rule.done:
                rule.add(batches.seconds_per_batch(size))
                self.clock.report(setting.describe())
                is_known = len(rule.blocks) >= FEWEST_TIMED_BLOCKS
                if best is not None and is_known and is_slower(trial, best):
                    trial.aborted = True
                    break
            wall = time.perf_counter() - began
            trial.cpu_cores = usage.cpu_seconds() / wall
            trial.machine_busy_ratio = usage.machine_busy_ratio()
            trial.storage_bytes = usage.storage_bytes() / (len(rule.blocks) * size)
            trial.memory_bytes = usage.memory_bytes()

        trial = self._run(setting, seconds, work)
        self.on_trial(trial)
        return trial

    def measure_with_step(self, setting: Setting, step: Step, *, seconds: float) -> Trial:
        """Measure how long the step waits for its batches."""

        def work(run: _Run) -> None:
            trial, block = run.trial, max(1, setting.num_workers)
            steps: list[float] = []

            def timed_step(batch: Any) -> None:
                began = time.perf_counter()
                step(batch)
                steps.append(time.perf_counter() - began)

            # Time from the second batch on, while few are in reserve, so that a slow loader shows at once.
            batches = BatchBlocks(run.loader, 1, timed_step, on_start=run.on_start)
            end = time.perf_counter() + seconds
            while len(trial.waits) < FEWEST_TIMED_BLOCKS or time.perf_counter() < end:
                whole = batches.seconds_per_batch(block)
                trial.waits.append(whole - statistics.fmean(steps[-block:]))
                trial.step_seconds = statistics.fmean(steps)
                self.clock.report(setting.describe())

        return self._run(setting, seconds, work)

    def measure_starts(self, setting: Setting) -> Trial:
        """Measure the start of a second epoch with the same persistent workers."""

        def work(run: _Run) -> None:
            BatchBlocks(run.loader, 1, on_start=run.on_start)
            restarted = BatchBlocks(run.loader, 1, on_start=run.on_start)
            # Subtract batches already in flight; a real epoch ends with none.
            pending = (setting.in_flight_batches / setting.num_workers) * self.probe.batch_seconds
            waited = restarted.startup_seconds - pending
            run.trial.restart_seconds = max(self.probe.batch_seconds, waited)

        return self._run(setting, 0.0, work)

    def first_batch(self) -> Any:
        """Return a batch as the training gets it, made in this process.

        Raises
        ------
        Exception
            Whatever the dataset raises.
        TimeIsUp
            No batch came in time.
        """
        loader, _ = self.subject.make_loader(Setting.of(num_workers=0), 0.0)
        limit = min(self.clock.left(), START_SECONDS + 3 * self.probe.batch_seconds)
        with self.clock.alarm.within(limit):
            return next(iter(loader))

    def _run(self, setting: Setting, seconds: float, work: Callable[[_Run], None]) -> Trial:
        trial = Trial(setting=setting, error=infeasible_reason(setting, self.probe, self.budget))
        most = self.most_workers
        if most is not None and setting.num_workers > most:
            trial.error = Message("not tried: the stream can use {count} at most", count=most)
        if trial.error is not None:
            return trial
        self.clock.report(setting.describe())
        run = _Run(trial, self.budget)
        allowed = seconds + self._expected_seconds(setting)
        limit = min(self.clock.left(), allowed)
        try:
            with self.clock.alarm.within(limit):
                run.loader, run.processes = self.subject.make_loader(setting, max(1.0, limit))
                work(run)
        except TimeIsUp:
            if not trial.blocks and not trial.waits:
                trial.out_of_time = limit < allowed
                template = "too slow: not enough batches within {seconds:.0f} s"
                if trial.out_of_time:
                    template = "not enough batches in the remaining {seconds:.0f} s"
                trial.error = Message(template, seconds=limit)
        except GpuPerfError as error:
            trial.error = error.message
        except Exception as error:  # from the user's code or one of its workers  # noqa: BLE001
            trial.error = describe_failure(error, run.processes, run.watchdog)
        finally:
            with self.clock.alarm.suspended():
                run.end(at_once=self.probe.batch_seconds > SLOW_BATCH_SECONDS)
        return trial

    def _expected_seconds(self, setting: Setting) -> float:
        """Return the seconds that the start-up, the discarded batches and the minimum number of blocks may take."""
        start = START_SECONDS if setting.start_method in (None, "fork") else FRESH_START_SECONDS
        rounds = 3 + FEWEST_TIMED_BLOCKS + (setting.prefetch_factor or 0)
        crowded = max(1.0, setting.num_workers / max(1.0, self.budget.cpus))
        return start + 2 * rounds * crowded * self.probe.batch_seconds


class _Run:
    """A running trial: its loader, iterator, workers and watchdog."""

    def __init__(self, trial: Trial, budget: Budget) -> None:
        self.trial, self._budget = trial, budget
        self.loader: Any = None
        self.processes: list[Any] = []
        self._iterator: Any = None
        self.watchdog: Watchdog | None = None
        self._shared_before = resources.shared_memory_free_bytes()

    def on_start(self, iterator: Any) -> None:
        """Remember the current iterator, and watch its workers."""
        self._iterator = iterator
        if self.processes and self.watchdog is None:
            self.watchdog = Watchdog(self.processes, self._budget)
            self.watchdog.start()

    def end(self, *, at_once: bool) -> None:
        """Stop the watchdog and close the iterator and the workers."""
        if self.watchdog is not None:
            self.watchdog.stop()
            least = self.watchdog.least_shared_bytes
            if least is not None and self._shared_before is not None:
                self.trial.shared_memory_bytes = max(0, self._shared_before - least)
        close(self._iterator, self.processes, at_once=at_once or self.trial.error is not None)
        with suppress(AttributeError):
            self.loader._iterator = None  # kept by persistent workers
        self._iterator = self.loader = None
