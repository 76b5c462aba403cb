"""Measure the time that following a model's calls adds to a step of an inference loop. Needs Python 3.12 or later.

python tests/perf/module_loop_cost.py [--calls 20000] [--rounds 20] [--json]

Per call: a model of one small layer, and one of nested containers whose code is the same as the model's own, each followed
and not (A B B A); the result is the difference of the minima of many short blocks. End to end: a step of a few milliseconds
under the telemetry thread, which takes its looks, against none (A B B A): the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

import torch

from jupyter_gpuperf.kernel_link.link import ServerLink
from jupyter_gpuperf.loops import LoopWatch, TelemetryThread
from jupyter_gpuperf.loops.module_calls import TorchCodes
from jupyter_gpuperf.loops.module_lead import LEAST_LOOKS

BLOCK: Final = 200
LAYERS: Final = 20
LOOP_SECONDS: Final = 1.5


class Small(torch.nn.Module):
    """A small model, in whose calls the thread can be looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 4)
        self.look: Callable[[], None] | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the layer's output."""
        if self.look is not None:
            self.look()
        return self.layer(x)


def nested() -> tuple[torch.nn.Module, Small]:
    """Return a container in containers, whose calls all run the same code; and the model in it."""
    small = Small()
    model: torch.nn.Module = torch.nn.Sequential(small)
    for _ in range(8):
        model = torch.nn.Sequential(model)
    return model, small


@contextlib.contextmanager
def followed(model: torch.nn.Module, inner: Small) -> Iterator[LoopWatch]:
    """Have the calls of a model followed within the context."""
    watching, main = LoopWatch(), threading.get_ident()
    watching.watch_everything()
    inner.look = lambda: watching.module_loops.look(
        sys._current_frames()[main], torch, TorchCodes.of(torch)
    )
    for _ in range(LEAST_LOOKS):
        model(torch.ones(1, 4))
    inner.look = None
    try:
        yield watching
    finally:
        watching.stop()


def added_us(model: torch.nn.Module, inner: Small, calls: int) -> dict[str, float]:
    """Return the microseconds that a call takes, and those that following it adds."""
    x = torch.ones(1, 4)

    def block() -> float:
        began = time.perf_counter()
        for _ in range(BLOCK):
            model(x)
        return (time.perf_counter() - began) / BLOCK

    found: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(max(4, calls // BLOCK // 4)):
        for is_followed in (False, True, True, False):
            if not is_followed:
                found[False].append(block())
                continue
            with followed(model, inner) as watching:
                block()  # the first step creates the loop's clock
                found[True].append(block())
            (clock,) = watching.clocks
            assert len(clock.steps) == 2 * BLOCK - 1
    # The minimum, because on a shared machine everything above it is caused by other processes.
    plain, watched = min(found[False]), min(found[True])
    return {"call_us": round(1e6 * plain, 2), "added_us": round(1e6 * (watched - plain), 2)}


def end_to_end(rounds: int) -> dict[str, float | list[float]]:
    """Return what the whole watch adds to a loop of short steps, in percent."""
    layer, x = torch.nn.Linear(256, 256), torch.ones(64, 256)

    def loop(is_watched: bool) -> float:
        watching = LoopWatch()
        thread = TelemetryThread(watching, ServerLink(lambda: None))
        if is_watched:
            watching.watch_everything()
            thread.start()
        model, steps, began = torch.nn.Sequential(*[layer] * LAYERS), 0, time.perf_counter()
        while time.perf_counter() < began + LOOP_SECONDS:
            model(x)
            steps += 1
        seconds = (time.perf_counter() - began) / steps
        if is_watched:
            thread.tally()
            watching.stop()
            thread.stop()
        return seconds

    step_seconds = loop(False)
    pairs = []
    for _ in range(max(2, rounds)):
        first, second, third, fourth = (loop(each) for each in (False, True, True, False))
        pairs.append((second + third) / (first + fourth) - 1)
    return {
        "step_ms": round(1000 * step_seconds, 3),
        "end_to_end_added_percent": round(100 * statistics.median(pairs), 3),
        "end_to_end_quartiles_percent": [
            round(100 * each, 2) for each in statistics.quantiles(pairs, n=4)[::2]
        ],
    }


def main() -> None:
    """Measure, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    small = Small()
    with torch.no_grad():
        figures = {
            "small": added_us(small, small, options.calls),
            "nested": added_us(*nested(), options.calls),
            **end_to_end(options.rounds),
        }
    print(json.dumps(figures) if options.json else figures)


if __name__ == "__main__":
    main()
