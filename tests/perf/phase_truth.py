"""Compare the phases of steps with the profiler's timeline, in ten programs of which three are compiled and one checkpoints.

python tests/perf/phase_truth.py [--only transformer,lstm] [--steps 40] [--json] [--dump FILE]

Each program runs under torch's profiler, with a range of its own around each phase, while every step is followed: a profiler
slows a program, so only the same steps can be compared. The device reaches a boundary when all kernels that were launched before it have ended; from the
timeline, that is known to the microsecond. The table has the share of each phase in the step, by both.
"""

from __future__ import annotations

import argparse
import bisect
import itertools
import json
import math
import statistics
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.profiler import record_function
from torch.utils.checkpoint import checkpoint

from jupyter_gpuperf.loops import LoopWatch, phase_clock
from jupyter_gpuperf.loops.followed_step import root_found
from jupyter_gpuperf.loops.phase_clock import FollowedStep

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
PREFIX = "phase::"
CLOCK = "clock"
"""The time of the clock itself between two steps."""
ITERATOR = torch.utils.data.dataloader._BaseDataLoaderIter
SKIPPED_STEPS = 5
LONGEST_RATIO = 1.5
"""Steps that take longer than this, compared with the median, are left out."""
PHASES = ("data", "copy", "forward", "backward", "optimizer", "other")


class Program(NamedTuple):
    """A model, what makes a batch on the host, and how the loss is made of the outputs."""

    model: nn.Module
    batch: Callable[[], torch.Tensor]
    loss: Callable[[torch.Tensor], torch.Tensor] = lambda outputs: outputs.float().pow(2).mean()
    accumulated: int = 1


class Checkpointed(nn.Module):
    """Layers whose activations are computed again in the backward pass."""

    def __init__(self, layers: nn.ModuleList) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the outputs of the last layer."""
        for each in self.layers:
            inputs = checkpoint(each, inputs, use_reentrant=False)
        return inputs


class FirstOutput(nn.Module):
    """A recurrent network without its state."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the outputs alone."""
        return self.inner(inputs)[0]


def layer(width: int = 512) -> nn.Module:
    """Return a layer of a transformer."""
    return nn.TransformerEncoderLayer(width, 8, 4 * width, batch_first=True, dropout=0.0)


def mlp(width: int = 2048, layers: int = 6) -> nn.Module:
    """Return a network of linear layers."""
    parts = (nn.Sequential(nn.Linear(width, width), nn.GELU()) for _ in range(layers))
    return nn.Sequential(*parts)


def convolutions() -> nn.Module:
    """Return a convolutional network."""
    widths = [3, 64, 64, 128, 128, 256]
    blocks = [
        nn.Sequential(nn.Conv2d(one, two, 3, padding=1), nn.BatchNorm2d(two), nn.ReLU())
        for one, two in pairwise(widths)
    ]
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, 100))


def programs() -> dict[str, Callable[[], Program]]:
    """Return the programs by name."""
    rows, images = lambda: torch.randn(512, 2048), lambda: torch.randn(32, 3, 96, 96)
    texts = lambda: torch.randn(16, 256, 512)
    stack = lambda: nn.Sequential(*(layer() for _ in range(6)))
    return {
        "mlp": lambda: Program(mlp(), rows),
        "launch-bound": lambda: Program(mlp(64, 24), lambda: torch.randn(32, 64)),
        "convolutions": lambda: Program(convolutions(), images),
        "transformer": lambda: Program(stack(), texts),
        "lstm": lambda: Program(FirstOutput(nn.LSTM(256, 512, 2, batch_first=True)), _sequences),
        "accumulated": lambda: Program(stack(), texts, accumulated=4),
        "checkpointed": lambda: Program(
            Checkpointed(nn.ModuleList(layer() for _ in range(6))), texts
        ),
        "compiled mlp": lambda: Program(torch.compile(mlp()), rows),
        "compiled convolutions": lambda: Program(torch.compile(convolutions()), images),
        "compiled transformer": lambda: Program(torch.compile(stack()), texts),
    }


def _sequences() -> torch.Tensor:
    return torch.randn(32, 128, 256)


def run(program: Program, optimizer: torch.optim.Optimizer, steps: int, marked: bool) -> None:
    """Train; with a range around each phase if ``marked``."""
    ranged = record_function if marked else lambda name: nullcontext()
    batches = iter(torch.utils.data.DataLoader(Batches(program.batch, steps), batch_size=None))
    for number in range(steps):
        with ranged(PREFIX + CLOCK):
            batch = next(batches)
        with ranged(PREFIX + "copy"):
            batch = batch.to(DEVICE)
        with ranged(PREFIX + "forward"):
            loss = program.loss(program.model(batch))
        with ranged(PREFIX + "backward"):
            loss.backward()
        if (number + 1) % program.accumulated == 0:
            with ranged(PREFIX + "optimizer"):
                optimizer.step()
            optimizer.zero_grad()
    with ranged(PREFIX + CLOCK):
        next(batches, None)


def mark_waits() -> None:
    """Mark the wait for a batch itself: what the clock does before it is no part of the step."""
    original = ITERATOR.__next__

    def draw(iterator: object) -> object:
        with record_function(PREFIX + "data"):
            return original(iterator)

    ITERATOR.__next__ = draw  # the clock's patch wraps it


class Batches(torch.utils.data.Dataset[torch.Tensor]):
    """So many batches."""

    def __init__(self, make: Callable[[], torch.Tensor], count: int) -> None:
        self._batch, self._count = make(), count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> torch.Tensor:
        return self._batch.clone()


def by_both(
    program: Program, optimizer: torch.optim.Optimizer, steps: int, dump: str | None = None
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the share of each phase, by the step clock and by the profiler's timeline of the same steps."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    if DEVICE == "cuda":
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    watching = LoopWatch()
    watching.watch_everything()
    root_found(watching.given, threading.get_ident(), program.model)
    try:
        run(program, optimizer, 2, marked=True)  # finds the device
        watching.find_device()
        with torch.profiler.profile(activities=activities, acc_events=True) as profile:
            run(program, optimizer, steps, marked=True)
            synchronize()
        run(program, optimizer, 2, marked=False)  # reads the events of the last steps
        clock = max(watching.clocks, key=lambda each: len(each.phases.steps))
        followed = list(clock.phases.steps)[SKIPPED_STEPS:-2]
    finally:
        watching.stop()
    events = profile.events()
    if dump:
        rows = [
            (each.name, each.id, each.device_type.name, each.time_range.start, each.time_range.end)
            for each in events
        ]
        with Path(dump).open("w") as file:
            json.dump(rows, file)
    return _shares_of_steps(followed), _shares(events)


def synchronize() -> None:
    """Wait for the GPU, if there is one."""
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def _shares_of_steps(steps: Sequence[FollowedStep]) -> dict[str, float]:
    found = []
    for step in steps:
        seconds: dict[str, float] = defaultdict(float)
        for span in step.spans:
            on_device = span.gpu_seconds if DEVICE == "cuda" else span.host_seconds
            seconds[span.phase] += on_device or 0.0
        found.append(seconds)
    return _shares_of_usual(found)


def _shares_of_usual(steps: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return the share of each phase in the steps that take no unusual time, as one with a flush of the profiler does."""
    totals = [sum(step[name] for name in PHASES) for step in steps]
    longest = LONGEST_RATIO * statistics.median(totals)
    usual = [step for step, total in zip(steps, totals, strict=True) if total <= longest]
    whole = sum(step[name] for step in usual for name in PHASES)
    return {name: sum(step[name] for step in usual) / whole for name in PHASES}


def _shares(events: Sequence[Any]) -> dict[str, float]:
    """Return the share of each phase in the steps after the first ones, which contain the profiler's start."""
    on_host = [each for each in events if each.device_type.name == "CPU"]
    on_device = [each for each in events if each.device_type.name != "CPU"]
    launched = {each.id: each.time_range.start for each in on_host if each.name.startswith("cu")}
    ends = sorted(
        (launched.get(each.id, each.time_range.start), each.time_range.end)
        for each in on_device
        if not each.name.startswith(PREFIX)
    )
    latest = itertools.accumulate((end for _, end in ends), max)
    ends = [(start, end) for (start, _), end in zip(ends, latest, strict=True)]
    boundaries = []
    for each in on_host:
        if each.name.startswith(PREFIX):
            name = each.name.removeprefix(PREFIX)
            following = CLOCK if name == "data" else "other"  # the wait is within the clock's time
            boundaries += [(each.time_range.start, name), (each.time_range.end, following)]
    boundaries.sort(key=lambda pair: pair[0])
    reached = [(_reached(time, ends), name) for time, name in boundaries]
    steps: list[dict[str, float]] = []
    for (began, name), (ended, following) in pairwise(reached):
        if name == CLOCK and following == "data":  # the loop asks for a batch
            steps.append(defaultdict(float))
        if steps:
            steps[-1][name] += ended - began
    return _shares_of_usual(steps[SKIPPED_STEPS:])


def _reached(time: float, ends: Sequence[tuple[float, float]]) -> float:
    """Return when the device reaches what is queued at this time of the host; ``ends`` has the latest end so far."""
    place = bisect.bisect_right(ends, (time, math.inf))
    return max(time, ends[place - 1][1]) if place else time


def main() -> None:
    """Compare, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--dump", metavar="FILE", help="write the last program's events")
    options = parser.parse_args()
    phase_clock.INTERVAL_SECONDS = 0.0
    mark_waits()
    with torch.profiler.profile():  # the first one of a process loses what happens while it starts
        torch.ones(1, device=DEVICE).add(1)
        synchronize()
    found = {}
    for name, make in programs().items():
        if options.only and name not in options.only.split(","):
            continue
        program = make()
        program.model.to(DEVICE)
        optimizer = torch.optim.AdamW(program.model.parameters(), lr=1e-5)
        run(program, optimizer, 8, marked=False)  # compiles
        clock, truth = by_both(program, optimizer, options.steps, options.dump)
        worst = max(abs(clock[phase] - truth[phase]) for phase in PHASES)
        found[name] = {"clock": clock, "profiler": truth, "worst_points": round(100 * worst, 2)}
        if not options.json:
            row = " ".join(
                f"{phase} {100 * clock[phase]:.1f}/{100 * truth[phase]:.1f}" for phase in PHASES
            )
            print(f"{name}: {row}; worst {100 * worst:.2f} points", flush=True)
    if options.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
