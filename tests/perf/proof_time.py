"""Compare the time that `headroom` and `apply` take with their limit, with real loaders and workers.

    python tests/perf/proof_time.py [--only slow]

The items sleep in short steps, so that a paused worker makes no progress. No GPU is needed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info

from jupyter_gpuperf.ab_tests.ab_test import ABTestResult, headroom, measure_change

BATCH = 4
NAP_SECONDS = 0.005


@dataclass(frozen=True)
class Load:
    """A loop: number of workers, seconds per batch in a worker, per step, for the first step and for a worker's start."""

    name: str
    workers: int
    batch_seconds: float
    step_seconds: float
    first_step_seconds: float = 0.0
    other_workers: int = 16
    other_start_seconds: float = 2.0


LOADS = (
    Load("slow data", 2, 0.8, 0.07),
    Load("slow data, a slow first step", 2, 0.8, 0.07, first_step_seconds=2.0),
    Load("data keeps up", 2, 0.04, 0.07),
    Load("no workers", 0, 0.2, 0.05, other_workers=4),
    Load("quick", 2, 0.01, 0.005, other_workers=4, other_start_seconds=0.0),
)


class Items(Dataset[torch.Tensor]):
    """Items that each take ``seconds`` to load."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __len__(self) -> int:
        return 100_000

    def __getitem__(self, index: int) -> torch.Tensor:
        for _ in range(round(self.seconds / NAP_SECONDS)):
            time.sleep(NAP_SECONDS)
        return torch.ones(4)


def started(load: Load) -> Callable[[int], None]:
    """Return the workers' init function, which is slow with the other number of workers."""

    def start(_: int) -> None:
        info = get_worker_info()
        if info is not None and info.num_workers == load.other_workers:
            time.sleep(load.other_start_seconds)

    return start


def step_of(load: Load) -> Callable[[torch.Tensor], None]:
    """Return a step of a small model that also sleeps."""
    model = torch.nn.Linear(4, 1)
    taken = []

    def step(batch: torch.Tensor) -> None:
        model(batch)
        time.sleep(load.step_seconds if taken else load.first_step_seconds or load.step_seconds)
        taken.append(1)

    return step


def main() -> None:
    """Print a row for each load, call and limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="only loads whose name contains this")
    parser.add_argument(
        "--limits", default="8,15,25", help="limits in seconds, separated by commas"
    )
    given = parser.parse_args()
    print("| load | call | limit, s | taken ÷ limit | rounds | steps | gain |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for load in LOADS:
        if given.only not in load.name:
            continue
        items = Items(load.batch_seconds / BATCH)
        loader = DataLoader(
            items, batch_size=BATCH, num_workers=load.workers, worker_init_fn=started(load)
        )
        for limit_seconds in map(float, given.limits.split(",")):
            for call in ("headroom", "apply"):
                began = time.perf_counter()
                found = proved(call, loader, load, limit_seconds)
                print(
                    row(load, call, found, limit_seconds, time.perf_counter() - began), flush=True
                )


def proved(
    call: str, loader: DataLoader[torch.Tensor], load: Load, limit_seconds: float
) -> ABTestResult:
    """Call `headroom` or `apply`, and return its result."""
    step = step_of(load)
    if call == "headroom":
        return headroom(torch, loader, step, steps=20, limit_seconds=limit_seconds)
    change = {"num_workers": load.other_workers}
    return measure_change(torch, loader, step, change, steps=20, limit_seconds=limit_seconds)


def row(load: Load, call: str, found: ABTestResult, limit_seconds: float, seconds: float) -> str:
    """Return a line of the table."""
    told = " (too short, it says)" if "too short" in (found.doubt or "") else ""
    steps = " and ".join(map(str, found.steps_per_block.values()))
    low, high = found.speedup["low"], found.speedup["high"]
    return (
        f"| {load.name} | {call} | {limit_seconds:g} | {seconds / limit_seconds:.2f}{told} | "
        f"{len(found.samples['before'])} | {steps} | {found.speedup['value']:.2f} ({low:.2f}–{high:.2f}) |"
    )


if __name__ == "__main__":
    main()
