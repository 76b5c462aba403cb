"""Measure what the phases cost: per step, and in a loop of short steps end to end.

python tests/perf/phase_cost.py [--rounds 20] [--json]

Per step: a small model's forward pass, backward pass and optimizer step, with and without the watch (ABBA); the median
difference of many blocks, once as it is used (some ten steps a second are followed) and once with no step
followed. End to end: steps of 2 to 3 ms (on a GPU, as many layers as it takes; else on the CPU), ABBA, the median of the
rounds' ratios with its quartiles.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import threading
import time

import torch

from jupyter_gpuperf.loops import LoopWatch, phase_clock
from jupyter_gpuperf.loops.followed_step import root_found

BLOCK = 500
"""Steps: of 0.2 ms, so many contain the usual share of followed ones."""
END_TO_END_BLOCK = 150
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


def added_us(loop: Loop, rounds: int) -> dict[str, float]:
    """Return the microseconds that the watch adds to a step: the medians of the rounds' differences."""
    usual = phase_clock.INTERVAL_SECONDS
    cases = {"added_us": usual, "added_while_none_is_followed_us": math.inf}
    added: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, phase_clock.INTERVAL_SECONDS in cases.items():
            first = loop.run(BLOCK)
            second, third = watched(loop, BLOCK), watched(loop, BLOCK)
            added[name].append((second + third - first - loop.run(BLOCK)) / 2)
    phase_clock.INTERVAL_SECONDS = usual
    return {name: round(1e6 * statistics.median(each), 2) for name, each in added.items()}


def main() -> None:
    """Measure, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    short = Loop(1)
    short.run(BLOCK)
    figures: dict[str, object] = dict(added_us(short, options.rounds))
    layers = max(1, round(STEP_SECONDS / short.run(BLOCK)))
    loop = Loop(layers)
    figures["end_to_end_step_ms"] = round(1e3 * loop.run(BLOCK), 3)
    while figures["end_to_end_step_ms"] < 2.0:  # a layer costs less than the first one
        layers *= 2
        loop = Loop(layers)
        loop.run(10)
        figures["end_to_end_step_ms"] = round(1e3 * loop.run(BLOCK), 3)
    ratios = []
    for _ in range(options.rounds):
        first = loop.run(END_TO_END_BLOCK)
        second, third = watched(loop, END_TO_END_BLOCK), watched(loop, END_TO_END_BLOCK)
        ratios.append((second + third) / (first + loop.run(END_TO_END_BLOCK)) - 1)
    figures["end_to_end_added_percent"] = round(100 * statistics.median(ratios), 3)
    figures["end_to_end_quartiles_percent"] = [
        round(100 * each, 3) for each in statistics.quantiles(ratios, n=4)[::2]
    ]
    print(json.dumps(figures) if options.json else figures)


if __name__ == "__main__":
    main()
