"""Name what varied between blocks of timed runs: measured facts, no guesses. Standard library only."""

from __future__ import annotations

import contextlib
import gc
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jupyter_gpuperf.messages import Message

STAT: Final = Path("/proc/stat")
WORTH_NAMING: Final = 0.02
"""A quantity that varies by less than this share of its median is not named."""
NOTABLE_GC_PERCENT: Final = 1.0
NOTABLE_CPUS: Final = 0.2
VARYING: Final = {
    "step_seconds": Message("step time"),
    "host_seconds": Message("host launch time"),
    "cpu_seconds": Message("CPU time per step"),
    "clock_mhz": Message("GPU clock"),
}
"""Field of a :class:`Block` → what it is, in the order in which they are named."""


@dataclass(slots=True)
class Block:
    """A block of timed runs. Times are seconds per step; ``None`` means not measured.

    Attributes
    ----------
    host_seconds
        Time until the host has launched all work for the GPU.
    cpu_seconds
        CPU time of all threads of this process.
    gc_ratio
        Share of the block's time that garbage collection took.
    other_cpus
        CPUs that other processes kept busy.
    """

    step_seconds: float = 0.0
    host_seconds: float | None = None
    cpu_seconds: float = 0.0
    gc_ratio: float = 0.0
    other_cpus: float | None = None
    clock_mhz: float | None = None


@contextlib.contextmanager
def observed_block(steps: int, clock_mhz: Callable[[], float | None]) -> Iterator[Block]:
    """Measure the body as a block of ``steps`` steps. The body sets ``host_seconds``."""
    block, collecting = Block(), 0.0

    def on_collection(phase: str, _info: Any) -> None:
        nonlocal collecting
        collecting += time.perf_counter() * (1 if phase == "stop" else -1)

    busy, cpu = _busy_cpu_seconds(), time.process_time()
    gc.callbacks.append(on_collection)
    began = time.perf_counter()
    try:
        yield block
        seconds = time.perf_counter() - began
    finally:
        gc.callbacks.remove(on_collection)
    cpu = time.process_time() - cpu
    if busy is not None and (now := _busy_cpu_seconds()) is not None:
        block.other_cpus = max(0.0, now - busy - cpu) / seconds
    block.step_seconds, block.cpu_seconds = seconds / steps, cpu / steps
    block.gc_ratio, block.clock_mhz = collecting / seconds, clock_mhz()


def describe_variation(blocks: Sequence[Block]) -> Iterator[Message]:
    """Yield sentences that name what varied between the blocks, and what else was going on meanwhile."""
    spreads = {name: spread([getattr(each, name) for each in blocks]) for name in VARYING}
    named = [
        Message("{what} by {percent:.0f} %", what=VARYING[name], percent=100 * ratio)
        for name, ratio in spreads.items()
        if ratio is not None and (ratio >= WORTH_NAMING or name == "step_seconds")
    ]
    if not named:
        return
    yield Message("What varies between blocks: {quantities}.", quantities=named)
    slower, faster = _halves(blocks)
    collecting = [100 * (_mean([each.gc_ratio for each in half]) or 0) for half in (slower, faster)]
    if max(collecting) >= NOTABLE_GC_PERCENT:
        yield Message(
            "Garbage collection took {slower:.0f} % of the slower blocks and {faster:.0f} % of the faster ones.",
            slower=collecting[0],
            faster=collecting[1],
        )
    others = [_mean([each.other_cpus for each in half]) for half in (slower, faster)]
    if max(each or 0.0 for each in others) >= NOTABLE_CPUS:
        yield Message(
            "Other processes (and DataLoader workers) used {slower:.1f} CPUs in the slower blocks, {faster:.1f} in the faster ones.",
            slower=others[0],
            faster=others[1],
        )


def spread(values: Sequence[float | None]) -> float | None:
    """Return half the distance between the 10th and the 90th percentile, as a share of the median.

    ``None`` when a value is missing, or there are fewer than three.
    """
    known = sorted(each for each in values if each is not None)
    if len(known) < max(3, len(values)) or statistics.median(known) <= 0:
        return None
    tenths = statistics.quantiles(known, n=10, method="inclusive")
    return (tenths[-1] - tenths[0]) / 2 / statistics.median(known)


def _halves(blocks: Sequence[Block]) -> tuple[Sequence[Block], Sequence[Block]]:
    ordered = sorted(blocks, key=lambda each: -each.step_seconds)
    middle = len(ordered) // 2
    return ordered[:middle], ordered[middle:]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [each for each in values if each is not None]
    return statistics.fmean(known) if known else None


def _busy_cpu_seconds() -> float | None:
    """Return how long all CPUs together have been busy since the system started; ``None`` if unknown."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        with STAT.open() as file:
            ticks = [int(each) for each in file.readline().split()[1:8]]
        return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")  # without idle, iowait
    return None
