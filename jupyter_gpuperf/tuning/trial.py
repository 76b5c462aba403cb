"""One setting, measured: how fast it is, how long a training step waits, and what it takes of the machine.

Standard library only at module level, but for psutil.
"""

from __future__ import annotations

import contextlib
import functools
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from jupyter_gpuperf.loaders.setting import Setting
from jupyter_gpuperf.measure.statistics import (
    STUDENT_T,
    Interval,
    inverse,
    mean_interval,
    mean_of_few,
)
from jupyter_gpuperf.measure.stopping import FEWEST_BLOCKS

N = TypeVar("N", int, float)

FEWEST_TIMED: Final = 3
"""Blocks of a trial, however long they take."""
ROLES: Final = ("recommended", "present", "golden", "kept")
FIGURES: Final = (
    *("batches_per_second", "wait_ratio", "step_seconds", "startup_seconds", "restart_seconds"),
    *("cpu_cores", "machine_busy_ratio", "memory_bytes", "shared_memory_bytes"),
    *("aborted", "error"),
)
"""Of a trial's plain data, what has the name that it has here."""


@dataclass(kw_only=True, slots=True)
class Trial:
    """A setting and what was found.

    Attributes
    ----------
    blocks
        Seconds a batch while nothing else is done, of each block of whole rounds.
    waits
        Seconds that the step waited for a batch, mean of each block; empty without a step.
    step_seconds
        Mean of the step in that run.
    cpu_cores
        Processors' worth of time that the workers used; without workers this process.
    machine_busy_ratio
        Share of the machine's processor time that anybody used.
    memory_bytes
        What the workers hold alone, together.
    shared_memory_bytes
        What batches in flight took of shared memory at most.
    restart_seconds
        From a new epoch's beginning to its first batch while workers persist.
    error
        Why there is no rate.
    aborted
        It was clearly slower than the best so far, and given up early.
    out_of_time
        The time for all was up before anything was measured, which says nothing of the setting.
    """

    setting: Setting
    roles: set[str] = field(default_factory=set)
    blocks: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    step_seconds: float | None = None
    startup_seconds: float | None = None
    restart_seconds: float | None = None
    cpu_cores: float | None = None
    memory_bytes: int | None = None
    shared_memory_bytes: int | None = None
    storage_bytes: float | None = None
    machine_busy_ratio: float | None = None
    error: str | None = None
    aborted: bool = False
    out_of_time: bool = False

    @property
    def batch_seconds(self) -> Interval | None:
        """Seconds a batch; ``None`` where it could not be measured."""
        return interval_of(self.blocks)

    @property
    def batches_per_second(self) -> Interval | None:
        """The rate. Of two blocks the interval may reach down to zero seconds: it is cut at a tenth of the mean."""
        seconds = self.batch_seconds
        if seconds is None:
            return None
        return inverse({**seconds, "low": max(seconds["low"], seconds["value"] / 10)})

    @property
    def wait_ratio(self) -> Interval | None:
        """The wait as a share of the step; ``None`` without a step."""
        found, step = interval_of(self.waits), self.step_seconds
        return {name: value / step for name, value in found.items()} if found and step else None

    def epoch_seconds(self, batches: int | None, step_seconds: float | None) -> float | None:
        """Return what an epoch takes by what was measured: start-up, then as many times step or load."""
        if not self.blocks or not batches:
            return None
        each = self.each_seconds(step_seconds)
        return self.start_seconds + max(0, batches - 1) * each

    def each_seconds(self, step_seconds: float | None) -> float:
        """Return what a step takes with its wait, start-up apart."""
        load = statistics.fmean(self.blocks)
        if step_seconds is None:
            return load
        if self.waits:
            return step_seconds + statistics.fmean(self.waits)
        return step_seconds + load if not self.setting.num_workers else max(step_seconds, load)

    @property
    def start_seconds(self) -> float:
        """From an epoch's beginning to its first batch; with persistent workers of the second epoch."""
        if self.setting.persistent_workers and self.restart_seconds is not None:
            return self.restart_seconds
        return self.startup_seconds or 0.0

    def to_dict(self, batches: int | None, step_seconds: float | None) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            **self.setting.to_dict(),
            **{name: getattr(self, name) for name in FIGURES},
            "roles": [each for each in ROLES if each in self.roles],
            "epoch_seconds": self.epoch_seconds(batches, step_seconds),
            "storage_bytes_per_batch": self.storage_bytes,
            "samples": {"batch_seconds": list(self.blocks), "wait_seconds": list(self.waits)},
        }


def interval_of(blocks: Sequence[float]) -> Interval | None:
    """Return the mean with its interval; of one block alone none, of few Student's."""
    return None if len(blocks) < 2 else dict(_interval(tuple(blocks)))


@functools.lru_cache(256)  # it is asked for again and again, and takes thousands of resamples
def _interval(blocks: tuple[float, ...]) -> Interval:
    if len(blocks) < FEWEST_BLOCKS <= len(STUDENT_T):
        return mean_of_few(blocks)
    return mean_interval(blocks)


def slower(trial: Trial, other: Trial) -> bool:
    """Tell whether batches clearly take longer: the intervals stay apart."""
    mine, theirs = trial.batch_seconds, other.batch_seconds
    return mine is not None and theirs is not None and mine["low"] > theirs["high"]


class Usage:
    """What the workers use of the machine between two looks.

    Parameters
    ----------
    pids
        The workers; empty where this process loads by itself.
    """

    def __init__(self, pids: Sequence[int]) -> None:
        import psutil

        self._psutil, self._errors = psutil, psutil.Error
        self._here = not pids
        self._processes = []
        of_here: list[int | None] = [None]
        for pid in pids or of_here:
            with contextlib.suppress(psutil.Error):
                self._processes.append(psutil.Process(pid))
        self._cpu = sum(self._of_each(_cpu_seconds))
        self._stored = sum(self._of_each(_storage_bytes))
        self._machine = psutil.cpu_times()

    def machine_busy_ratio(self) -> float | None:
        """Return the share of the machine's processor time that anybody used since the beginning."""
        now, then = self._psutil.cpu_times()._asdict(), self._machine._asdict()
        # Guests' time is within their users'.
        spent = {name: now[name] - then[name] for name in now if not name.startswith("guest")}
        idle, whole = spent["idle"] + spent.get("iowait", 0.0), sum(spent.values())
        return min(1.0, max(0.0, 1 - idle / whole)) if whole > 0 else None

    def memory_bytes(self) -> int | None:
        """Return what the workers hold alone, together; ``None`` where there are none, or nothing tells."""
        found = [] if self._here else self._of_each(lambda each: each.memory_full_info().uss)
        return sum(found) if found else None

    def _of_each(self, ask: Callable[[Any], N]) -> list[N]:
        """Return what is known of those processes that answer."""
        found = []
        for process in self._processes:
            with contextlib.suppress(self._errors, AttributeError):
                found.append(ask(process))
        return found

    def cpu_seconds(self) -> float:
        """Return the processor time since the beginning."""
        return max(0.0, sum(self._of_each(_cpu_seconds)) - self._cpu)

    def storage_bytes(self) -> int:
        """Return what was read from storage since the beginning."""
        return max(0, sum(self._of_each(_storage_bytes)) - self._stored)


def _cpu_seconds(process: Any) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _storage_bytes(process: Any) -> int:
    return int(process.io_counters().read_bytes)
