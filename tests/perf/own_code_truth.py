"""Compare the GPU's idle time in a loop's own code, such as nanoGPT's get_batch(), with the profiler's timeline.

python tests/perf/own_code_truth.py [--only "NAME;NAME"] [--seconds 2.5] [--json]

Each loop runs under torch's profiler, watched as in a notebook: some ten steps a second are followed, and its stack is
looked at from another thread. *clock* is what the finding would say: its share of the step's time, limited to the device's
idle share, which is taken from the profiler here instead of the driver. *profiler* is the time in the function, marked with
a range, in which no kernel and no copy ran.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, NamedTuple

import msgspec
import torch
from torch import nn
from torch.profiler import record_function

from jupyter_gpuperf.loop_store.step_window import steps_of
from jupyter_gpuperf.loops import LoopWatch
from jupyter_gpuperf.loops.tallies import tally_of
from jupyter_gpuperf.rules.own_code import idle_own_code

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
OWN = "own::"
STEP = "step::"
VOCABULARY, LENGTH, BATCH = 8192, 256, 16


class Gpt(nn.Module):
    """A small language model that returns its loss, as nanoGPT does."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, width)
        layer = nn.TransformerEncoderLayer(width, 8, 4 * width, batch_first=True, dropout=0.0)
        self.body = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.head = nn.Linear(width, VOCABULARY)

    def forward(self, tokens: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the loss."""
        with torch.autocast(DEVICE, torch.bfloat16):
            scores = self.head(self.body(self.embedding(tokens)))
            return nn.functional.cross_entropy(scores.flatten(0, 1), targets.flatten())


class Case(NamedTuple):
    """A loop: how long ``get_batch`` takes on the host, where it stands, and how much the GPU has to do."""

    prepares_seconds: float
    place: str
    width: int = 512
    layers: int = 4
    accumulated: int = 1


CASES = {
    "idle, as nanoGPT": Case(0.03, "between"),
    "idle, before the forward pass": Case(0.03, "before"),
    "accumulated": Case(0.02, "between", accumulated=4),
    "partly hidden": Case(0.012, "between", width=1024, layers=8),
    "hidden": Case(0.004, "between", width=2048, layers=12),
    "logs after the step": Case(0.02, "after"),
}


class Loop:
    """A training loop without a loader."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.model = Gpt(case.width, case.layers).to(DEVICE)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-5)
        self.data = torch.randint(VOCABULARY, (1_000_000,))

    def get_batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return random pieces of the text, after some work on the host."""
        with record_function(OWN):
            until = time.perf_counter() + self.case.prepares_seconds
            while time.perf_counter() < until:
                sum(range(200))
            starts = torch.randint(len(self.data) - LENGTH - 1, (BATCH,)).tolist()
            tokens = torch.stack([self.data[i : i + LENGTH] for i in starts])
            targets = torch.stack([self.data[i + 1 : i + 1 + LENGTH] for i in starts])
            if DEVICE == "cuda":
                tokens, targets = tokens.pin_memory(), targets.pin_memory()
            return tokens.to(DEVICE, non_blocking=True), targets.to(DEVICE, non_blocking=True)

    def run(self, seconds: float) -> int:
        """Train for so long, and return the number of steps."""
        case, end, count = self.case, time.perf_counter() + seconds, 0
        batch = self.get_batch()
        while time.perf_counter() < end:
            with record_function(STEP):
                for _ in range(case.accumulated):
                    if case.place == "before":
                        batch = self.get_batch()
                    loss = self.model(*batch)
                    if case.place == "between":
                        batch = self.get_batch()
                    loss.backward()
                self.optimizer.step()
                self.optimizer.zero_grad(set_to_none=True)
                if case.place == "after":
                    batch = self.get_batch()
            count += 1
        synchronize()
        return count


def synchronize() -> None:
    """Wait for the GPU, if there is one."""
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def measured(case: Case, seconds: float) -> dict[str, Any]:
    """Return the shares of a step by the clock and by the profiler."""
    loop, watching, ended = Loop(case), LoopWatch(), threading.Event()
    watching.watch_everything()

    def look() -> None:
        while not ended.wait(0.2):
            watching.look_at_loops()

    looking = threading.Thread(target=look)
    looking.start()
    activities = [torch.profiler.ProfilerActivity.CPU]
    if DEVICE == "cuda":
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    try:
        loop.run(1.5)
        watching.find_device()
        loop.run(1.5)
        (clock,) = watching.clocks
        while tally_of(clock, 0.0) is not None:
            pass
        with torch.profiler.profile(activities=activities, acc_events=True) as profile:
            loop.run(seconds)
            lines = (
                clock.info.host_lines
            )  # looks are soon old, and ending the profile takes a while
        watching.pause()
        loop.run(0.3)  # reads the last events
    finally:
        ended.set()
        looking.join()
        watching.stop()
    info, tally = msgspec.structs.replace(clock.info, host_lines=lines), tally_of(clock, 0.0)
    found = steps_of(info, [tally], pid=1, notebook="", busy=lambda *_: None)
    idle, own_idle = _truth(profile.events())
    work = SimpleNamespace(idle_ratio=idle, busy_error_ratio=0.0)
    own = idle_own_code(SimpleNamespace(loop=found, work=work))
    return {
        "step_ms": round(1000 * found.step_seconds, 2),
        "clock_percent": own and round(100 * own.idle_ratio, 2),
        "profiler_percent": round(100 * own_idle, 2),
        "idle_percent": round(100 * idle, 2),
        "line": own
        and f"{own.line.function} {own.line.line}: {100 * own.line.ratio:.0f} % of the host",
        "is_bounded": own and own.is_bounded,
    }


def _truth(events: Sequence[Any]) -> tuple[float, float]:
    """Return the share of the steps' time in which the device was idle, and in which it was in the function."""
    on_host = [each for each in events if each.device_type.name == "CPU"]
    device = "CPU" if DEVICE == "cpu" else "CUDA"
    busy = list(
        _united(
            (each.time_range.start, each.time_range.end)
            for each in events
            if each.device_type.name == device and not each.name.startswith((OWN, STEP))
        )
    )
    steps = [each.time_range for each in on_host if each.name == STEP]
    start, end = steps[2].start, steps[-1].end
    own = [each.time_range for each in on_host if each.name == OWN]
    idle = [(one[1], other[0]) for one, other in pairwise(busy)]
    inside = sum(_overlap(each, (start, end)) for each in idle)
    in_own = sum(
        _overlap(each, (max(start, span.start), min(end, span.end)))
        for span in own
        for each in idle
        if each[0] < span.end and each[1] > span.start
    )
    return inside / (end - start), in_own / (end - start)


def _united(spans: Iterator[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    current: tuple[float, float] | None = None
    for start, end in sorted(spans):
        if current is None or start > current[1]:
            if current is not None:
                yield current
            current = (start, end)
        else:
            current = (current[0], max(current[1], end))
    if current is not None:
        yield current


def _overlap(one: tuple[float, float], other: tuple[float, float]) -> float:
    return max(0.0, min(one[1], other[1]) - max(one[0], other[0]))


def main() -> None:
    """Compare, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="")
    parser.add_argument("--seconds", type=float, default=2.5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found: dict[str, dict[str, Any]] = {}
    chosen: Callable[[str], bool] = lambda name: not options.only or name in options.only.split(";")
    for name, case in CASES.items():
        if chosen(name):
            found[name] = measured(case, options.seconds)
            if not options.json:
                print(name, found[name], flush=True)
    if options.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
