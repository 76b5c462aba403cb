"""The measured figures of one setting: its speed, the training step's wait, and the resources it uses.

Standard library only at module level, except psutil.
"""

from __future__ import annotations

import contextlib
import functools
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import psutil

from jupyter_gpuperf.loaders.setting import Setting
from jupyter_gpuperf.measure.interleaved import paired_ratio
from jupyter_gpuperf.measure.statistics import Interval, inverse, mean_interval, small_sample_mean
from jupyter_gpuperf.measure.stopping import FEWEST_BLOCKS

N = TypeVar("N", int, float)

MEMORY_SECONDS: Final = 0.2
LEAST_RATIO: Final = 0.1
"""Lower bound of an interval, relative to the mean: that of a few blocks may reach zero seconds."""

FEWEST_TIMED_BLOCKS: Final = 3
"""Minimum number of blocks of a trial, however long they take."""
ROLES: Final = ("recommended", "present", "golden", "kept")
FIGURES: Final = (
    *("batches_per_second", "wait_ratio", "step_seconds", "startup_seconds", "restart_seconds"),
    *("cpu_cores", "machine_busy_ratio", "memory_bytes", "shared_memory_bytes"),
    *("aborted", "error"),
)
"""Fields of a trial's plain data that have the same name as the attribute."""


@dataclass(kw_only=True, slots=True)
class Trial:
    """A setting and its measured figures.

    Attributes
    ----------
    blocks
        Seconds per step of the loop, or per batch when there is no step; one value per block.
    ready_seconds
        Seconds per step with batches that are ready, measured beside; ``None`` without a step.
    round_of
        The trials that were measured in turn with this one; ``None`` when it was measured alone.
    cpu_cores
        Mean number of CPU cores that the workers used; without workers, that this process used.
    machine_busy_ratio
        Share of the machine's CPU time that any process used.
    memory_bytes
        Unique memory of all workers together.
    shared_memory_bytes
        Peak shared memory of the batches in flight.
    storage_bytes
        Bytes read from storage per batch.
    restart_seconds
        Seconds from the start of a new epoch to its first batch, with persistent workers.
    error
        Why nothing was measured; otherwise ``None``.
    aborted
        Whether it was stopped early because it was clearly slower than the best so far.
    out_of_time
        Whether the total time was up before anything was measured, which says nothing about the setting.
    """

    setting: Setting
    roles: set[str] = field(default_factory=set)
    blocks: list[float] = field(default_factory=list)
    ready_seconds: Interval | None = None
    round_of: Sequence[Trial] | None = field(default=None, repr=False, compare=False)
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
        """Seconds per step, or per batch without a step; ``None`` when it could not be measured."""
        return interval_of(self.blocks)

    @property
    def batches_per_second(self) -> Interval | None:
        """Batches per second; ``None`` when they could not be measured."""
        seconds = self.batch_seconds
        return None if seconds is None else inverse(seconds)

    @property
    def wait_ratio(self) -> Interval | None:
        """The share of the loop's time that it would save with batches that are ready; ``None`` without a step."""
        loop, ready = self.batch_seconds, self.ready_seconds
        if loop is None or ready is None:
            return None
        ratios = {
            "value": ready["value"] / loop["value"],
            "low": ready["high"] / loop["low"],
            "high": ready["low"] / loop["high"],
        }
        return {name: max(0.0, 1 - ratio) for name, ratio in ratios.items()}

    @property
    def step_seconds(self) -> float | None:
        """Seconds per step with batches that are ready; ``None`` without a step."""
        return None if self.ready_seconds is None else self.ready_seconds["value"]

    @property
    def mean_seconds(self) -> float:
        """Mean seconds per step, or per batch without a step."""
        return statistics.fmean(self.blocks)

    def epoch_seconds(self, batches: int | None) -> float | None:
        """Return the seconds of an epoch by the measured figures; ``None`` when its number of batches is unknown."""
        if not self.blocks or not batches:
            return None
        return self.start_seconds + max(0, batches - 1) * self.mean_seconds

    def gain_over(self, other: Trial) -> Interval | None:
        """Return how many times as fast as the other this trial is; ``None`` when one of them was not measured.

        The ratio is paired by rounds where both were measured in turn.
        """
        if self.round_of is not None and self.round_of is other.round_of:
            return paired_ratio(other.blocks, self.blocks)
        mine, others = self.batch_seconds, other.batch_seconds
        if mine is None or others is None:
            return None
        ends = {"low": others["low"] / mine["high"], "high": others["high"] / mine["low"]}
        return {"value": others["value"] / mine["value"], **ends}

    @property
    def start_seconds(self) -> float:
        """Seconds from an epoch's start to its first batch; with persistent workers, those of the second epoch."""
        if self.setting.persistent_workers and self.restart_seconds is not None:
            return self.restart_seconds
        return self.startup_seconds or 0.0

    def to_dict(self, batches: int | None) -> dict[str, Any]:
        """Return the trial as plain data."""
        return {
            **self.setting.to_dict(),
            **{name: getattr(self, name) for name in FIGURES},
            "roles": [each for each in ROLES if each in self.roles],
            "epoch_seconds": self.epoch_seconds(batches),
            "storage_bytes_per_batch": self.storage_bytes,
            "samples": {"batch_seconds": list(self.blocks)},
        }


def interval_of(blocks: Sequence[float]) -> Interval | None:
    """Return the mean and its 95 % interval (of few blocks, Student's t); ``None`` for fewer than two blocks."""
    if len(blocks) < 2:
        return None
    interval = _interval(tuple(blocks))
    return {**interval, "low": max(interval["low"], LEAST_RATIO * interval["value"])}


@functools.lru_cache(256)  # called repeatedly with the same blocks; bootstrapping them is slow
def _interval(blocks: tuple[float, ...]) -> Interval:
    return (small_sample_mean if len(blocks) < FEWEST_BLOCKS else mean_interval)(blocks)


def is_slower(trial: Trial, other: Trial) -> bool:
    """Return whether ``trial`` is clearly slower than ``other``, that is, whether the intervals don't overlap."""
    seconds, others = trial.batch_seconds, other.batch_seconds
    return seconds is not None and others is not None and seconds["low"] > others["high"]


class Usage:
    """The resources that the workers have used since the creation of this object.

    Parameters
    ----------
    pids
        Process ids of the workers; empty when this process loads the data itself.
    """

    def __init__(self, pids: Sequence[int]) -> None:
        self._in_process = not pids
        self._processes = []
        for pid in pids or (os.getpid(),):
            with contextlib.suppress(psutil.Error):
                self._processes.append(psutil.Process(pid))
        self._cpu = sum(self._of_each(_cpu_seconds))
        self._stored = sum(self._of_each(_storage_bytes))
        self._machine = psutil.cpu_times()

    def machine_busy_ratio(self) -> float | None:
        """Return the share of the machine's CPU time that any process used since creation; ``None`` when unknown."""
        now, then = psutil.cpu_times()._asdict(), self._machine._asdict()
        # Guest time is already included in user time.
        spent = {name: now[name] - then[name] for name in now if not name.startswith("guest")}
        idle, whole = spent["idle"] + spent.get("iowait", 0.0), sum(spent.values())
        return min(1.0, max(0.0, 1 - idle / whole)) if whole > 0 else None

    def memory_bytes(self) -> int | None:
        """Return the unique memory of all workers together; ``None`` without workers or when unknown."""
        if self._in_process:
            return None
        # Counting the pages of a process that uses CUDA takes long. Workers are alike, so a few stand for all.
        read = []
        end = time.perf_counter() + MEMORY_SECONDS
        for process in self._processes:
            with contextlib.suppress(psutil.Error, AttributeError):
                read.append(process.memory_full_info().uss)
            if time.perf_counter() > end:
                break
        return round(len(self._processes) * statistics.fmean(read)) if any(read) else None

    def _of_each(self, figure: Callable[[psutil.Process], N]) -> list[N]:
        """Return the figure of each process, except those that have ended or don't report it."""
        figures = []
        for process in self._processes:
            with contextlib.suppress(psutil.Error, AttributeError):
                figures.append(figure(process))
        return figures

    def cpu_seconds(self) -> float:
        """Return the CPU seconds used since creation."""
        return max(0.0, sum(self._of_each(_cpu_seconds)) - self._cpu)

    def storage_bytes(self) -> int:
        """Return the bytes read from storage since creation."""
        return max(0, sum(self._of_each(_storage_bytes)) - self._stored)


def _cpu_seconds(process: Any) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _storage_bytes(process: Any) -> int:
    return int(process.io_counters().read_bytes)
