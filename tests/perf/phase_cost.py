"""Measure what the phases cost: per step, and in a loop of short steps end to end.

python tests/perf/phase_cost.py [--rounds 20] [--json]

Per step: the time within the watch's own hooks, in a loop of short steps, by a clock around each hook. End to end: steps of
2 to 3 ms (on a GPU, as many layers as it takes; else on the CPU), ABBA in short blocks; the ratio of the lower quartiles,
since other load only ever adds time, and its 95 % interval by bootstrap.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import threading
import time
from collections.abc import Callable, Sequence

import torch

from jupyter_gpuperf.loops import LoopWatch
from jupyter_gpuperf.loops.followed_step import root_found

BLOCK = 500
"""Steps: of 0.2 ms, so many contain the usual share of followed ones."""
END_TO_END_BLOCK = 60
WARM_STEPS = 10
STEP_SECONDS = 0.0025
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


class Loop:
    """A training loop without a loader, of so many layers."""

    def __init__(self, layers: int, width: int = 64) -> None:
        parts = [torch.nn.Linear(width, width) for _ in range(layers)]
        self.model = torch.nn.Sequential(*parts).to(DEVICE)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=1e-6)
        self.batch = torch.randn(8, width, device=DEVICE)

    def run(self, steps: int) -> float:
        """Return the seconds per step."""
        synchronize()
        began = time.perf_counter()
        for _ in range(steps):
            self.model(self.batch).sum().backward()
            self.optimizer.step()
        synchronize()
        return (time.perf_counter() - began) / steps


def synchronize() -> None:
    """Wait for the GPU, if there is one."""
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def watched(loop: Loop, steps: int) -> float:
    """Return the seconds per step while the loop is watched and its module is known."""
    watching = LoopWatch()
    watching.watch_everything()
    loop.run(3)
    watching.find_device()
    root_found(watching.given, threading.get_ident(), loop.model)
    try:
        loop.run(WARM_STEPS)  # the first look at memory, the first events
        return loop.run(steps)
    finally:
        watching.stop()


def us_in_hooks(loop: Loop, steps: int) -> dict[str, float]:
    """Return the microseconds per step in the watch's own hooks: of all steps, and of the half of them that take least."""
    spent: list[float] = []

    def timed(hook: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object) -> object:
            began = time.perf_counter()
            try:
                return hook(*args)
            finally:
                spent.append(time.perf_counter() - began)

        return call

    watching = LoopWatch()
    watching.watch_everything()
    try:
        loop.run(WARM_STEPS)
        watching.find_device()
        root_found(watching.given, threading.get_ident(), loop.model)
        hooks = sys.modules["torch.optim.optimizer"]
        tables = (hooks._global_optimizer_pre_hooks, hooks._global_optimizer_post_hooks)
        for table in tables:
            for key, hook in table.items():
                table[key] = timed(hook)
        loop.run(steps)
    finally:
        watching.stop()
    per_step = sorted(before + after for before, after in zip(spent[::2], spent[1::2], strict=True))
    return {
        "in_hooks_us": round(1e6 * statistics.fmean(per_step), 2),
        "in_hooks_median_us": round(1e6 * statistics.median(per_step), 2),
    }


def lower_quartile(values: Sequence[float]) -> float:
    """Return the first quartile."""
    return statistics.quantiles(values, n=4)[0]


def interval(on: Sequence[float], off: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % interval of the percentage that is added, by bootstrap."""
    source = random.Random(0)
    added = sorted(
        lower_quartile(source.choices(on, k=len(on)))
        / lower_quartile(source.choices(off, k=len(off)))
        for _ in range(1000)
    )
    return round(100 * added[25] - 100, 2), round(100 * added[974] - 100, 2)


def main() -> None:
    """Measure, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    short = Loop(1)
    short.run(BLOCK)
    figures: dict[str, object] = dict(us_in_hooks(short, 20 * BLOCK))
    layers = max(1, round(STEP_SECONDS / short.run(BLOCK)))
    loop = Loop(layers)
    figures["end_to_end_step_ms"] = round(1e3 * loop.run(BLOCK), 3)
    while figures["end_to_end_step_ms"] < 2.0:  # a layer costs less than the first one
        layers *= 2
        loop = Loop(layers)
        loop.run(10)
        figures["end_to_end_step_ms"] = round(1e3 * loop.run(BLOCK), 3)
    on, off = [], []
    for _ in range(3 * options.rounds):
        off.append(loop.run(END_TO_END_BLOCK))
        on += watched(loop, END_TO_END_BLOCK), watched(loop, END_TO_END_BLOCK)
        off.append(loop.run(END_TO_END_BLOCK))
    figures["end_to_end_added_percent"] = round(
        100 * lower_quartile(on) / lower_quartile(off) - 100, 2
    )
    figures["end_to_end_interval_percent"] = interval(on, off)
    print(json.dumps(figures) if options.json else figures)


if __name__ == "__main__":
    main()
