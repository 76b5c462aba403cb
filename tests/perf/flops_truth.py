"""Compare the model FLOPs and the tokens that the step clock reports with counts by hand, and time the counted step.

python tests/perf/flops_truth.py [--only "NAME;NAME"] [--seconds 12] [--json]

Each program is watched as in a notebook, and looked at from another thread. *by hand* is 6·N·tokens and 12·L·T·C·tokens of
attention for a transformer, and the layers' shapes for a ResNet-50 (torchvision's). *program* is its own clock: the device
is waited for before the first and after the last of its steps. *counted step* is the duration of the step whose operations
are counted, with a wait for the device before and after, over the median of such steps. *same losses* compares those of
the first steps with those without the watch; *plain again* repeats that without the watch.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from jupyter_gpuperf.loop_store.step_window import steps_of
from jupyter_gpuperf.loops import LoopWatch
from jupyter_gpuperf.loops.tallies import tally_of
from jupyter_gpuperf.schemas.training import merged

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SMALL = DEVICE == "cpu"
COMPARED_LOSSES = 12
functional = nn.functional


class Block(nn.Module):
    """A layer of a transformer as nanoGPT's."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the layer's output."""
        batch, length, width = x.shape
        parts = self.qkv(self.norms[0](x)).split(width, dim=2)
        q, k, v = (each.view(batch, length, self.heads, -1).transpose(1, 2) for each in parts)
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(batch, length, width))
        return x + self.down(functional.gelu(self.up(self.norms[1](x))))


class Transformer(nn.Module):
    """A language model that returns its loss, and how to train it."""

    def __init__(self, *, checkpoints: bool = False, batch: int = 8) -> None:
        super().__init__()
        self.vocabulary, self.length, self.width, self.layers = (
            (512, 64, 64, 2) if SMALL else (50304, 1024, 768, 12)
        )
        self.batch, self.checkpoints = batch, checkpoints
        self.wte = nn.Embedding(self.vocabulary, self.width)
        self.wpe = nn.Embedding(self.length, self.width)
        heads = self.width // 64 if self.width > 64 else 4
        self.blocks = nn.ModuleList(Block(self.width, heads) for _ in range(self.layers))
        self.head = nn.Linear(self.width, self.vocabulary, bias=False)
        self.head.weight = self.wte.weight

    def forward(self, idx: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the loss."""
        x = self.wte(idx) + self.wpe(torch.arange(idx.shape[1], device=idx.device))
        for each in self.blocks:
            if self.checkpoints:
                x = torch.utils.checkpoint.checkpoint(each, x, use_reentrant=False)
            else:
                x = each(x)
        return functional.cross_entropy(self.head(x).flatten(0, 1), targets.flatten())

    def inputs(self) -> tuple[torch.Tensor, ...]:
        """Return a batch on the host."""
        tokens = torch.randint(self.vocabulary, (self.batch, self.length))
        return tokens, tokens

    def loss(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return the loss of a batch on the device."""
        return self(*inputs)

    def tokens(self) -> int:
        """Return the tokens of a batch."""
        return self.batch * self.length

    def flops(self) -> float:
        """Return the model FLOPs of a batch, by hand."""
        weights = 12 * self.layers * self.width**2 + self.vocabulary * self.width
        attention = 12 * self.layers * self.length * self.width
        return float((6 * weights + attention) * self.tokens())


class ResNet(nn.Module):
    """torchvision's ResNet-50, and how to train it."""

    def __init__(self) -> None:
        super().__init__()
        import torchvision

        self.batch = 2 if SMALL else 128
        self.net = torchvision.models.resnet50()

    def inputs(self) -> tuple[torch.Tensor, ...]:
        """Return a batch on the host."""
        return torch.randn(self.batch, 3, 224, 224), torch.randint(1000, (self.batch,))

    def loss(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the loss of a batch on the device."""
        return functional.cross_entropy(self.net(images), labels)

    def tokens(self) -> None:
        """Images have none."""
        return

    def flops(self) -> float:
        """Return the model FLOPs of a batch, by hand: three times the forward pass, less the images' gradient."""
        stem = 112**2 * 64 * 3 * 49
        products, inputs, size = stem, 64, 56
        for stage, blocks in enumerate((3, 4, 6, 3)):
            width = 64 << stage
            for block in range(blocks):
                smaller = 2 if stage and not block else 1
                products += size**2 * inputs * width  # 1×1, before the stride
                size //= smaller
                products += size**2 * (9 * width**2 + width * 4 * width)
                products += size**2 * inputs * 4 * width if not block else 0  # the short cut
                inputs = 4 * width
        products += inputs * 1000
        return 2.0 * self.batch * (3 * products - stem)


class Items(torch.utils.data.IterableDataset[Any]):
    """Batches without end, of a few that are prepared."""

    def __init__(self, program: Any) -> None:
        self._batches = [program.inputs() for _ in range(8)]

    def __iter__(self) -> Iterator[Any]:
        while True:
            yield from self._batches


def batches_of(program: Any, with_loader: bool) -> Iterator[Any]:
    """Return batches without end."""
    items = Items(program)
    return iter(torch.utils.data.DataLoader(items, batch_size=None) if with_loader else items)


def synchronize() -> None:
    """Wait for the GPU, if there is one."""
    if DEVICE == "cuda":
        torch.cuda.synchronize()


class Training:
    """A program's loop."""

    def __init__(self, program: Any, *, with_loader: bool, precision: str) -> None:
        torch.manual_seed(0)
        self.program = program
        program.to(DEVICE)
        self.optimizer = torch.optim.AdamW(program.parameters(), lr=1e-5)
        self.batches = batches_of(program, with_loader)
        self.autocast: Callable[[], Any] = (
            (lambda: torch.autocast(DEVICE, torch.bfloat16))
            if precision == "bf16"
            else contextlib.nullcontext
        )

    def run(self, steps: int, each: Callable[[], None] = lambda: None) -> list[float]:
        """Train for so many steps, and return their losses."""
        losses = []
        for _ in range(steps):
            inputs = [part.to(DEVICE, non_blocking=True) for part in next(self.batches)]
            with self.autocast():
                loss = self.program.loss(*inputs)
            loss.backward()
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
            losses.append(loss.detach())
            each()
        return [one.item() for one in losses]


PROGRAMS: dict[str, dict[str, Any]] = {
    "GPT-2, bf16": {"make": Transformer},
    "GPT-2, bf16, no loader": {"make": Transformer, "with_loader": False},
    "GPT-2, bf16, checkpoints": {"make": lambda: Transformer(checkpoints=True)},
    "GPT-2, bf16, batch 1": {"make": lambda: Transformer(batch=1)},
    "GPT-2, fp32": {"make": Transformer, "precision": "fp32"},
    "ResNet-50, bf16": {"make": ResNet},
    "ResNet-50, fp32 (TF32 convolutions)": {"make": ResNet, "precision": "fp32"},
}


def training_of(case: dict[str, Any]) -> Training:
    """Return a fresh loop of a case."""
    torch.manual_seed(0)
    options = {"with_loader": True, "precision": "bf16"} | case
    return Training(options.pop("make")(), **options)


def measured(case: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Return a program's figures by the clock, and by hand."""
    plain, again = (training_of(case).run(COMPARED_LOSSES) for _ in range(2))
    training, watching, ended = training_of(case), LoopWatch(), threading.Event()
    watching.watch_everything()

    def look() -> None:
        while not ended.wait(0.3):
            watching.look_at_loops()

    looking = threading.Thread(target=look)
    looking.start()
    try:
        losses = training.run(COMPARED_LOSSES)
        watching.find_device()
        counted_ratio, plain_ms = counted_step(training, watching)
        _, end = tallied(watching), time.perf_counter() + seconds
        steps, began = 0, time.perf_counter()
        while time.perf_counter() < end:
            training.run(5)
            steps += 5
        synchronize()
        program_seconds = (time.perf_counter() - began) / steps
        tally = tallied(watching)
    finally:
        ended.set()
        looking.join()
        watching.stop()
    (clock,) = watching.clocks
    found = steps_of(clock.info, [tally], pid=1, notebook="", busy=lambda *_: None)
    by_hand, tokens = training.program.flops(), training.program.tokens()
    peak = clock.info.peak_flops_per_second
    return {
        "flops_ratio": found.flops_per_step and round(found.flops_per_step / by_hand, 5),
        "format": found.flops_format,
        "unknown": found.flops_unknown,
        "step_ms": round(1000 * found.step_seconds, 3),
        "program_step_ms": round(1000 * program_seconds, 3),
        "utilization_percent": percent(found.flops_utilization_ratio),
        "by_hand_percent": percent(peak and by_hand / program_seconds / peak),
        "tokens_ratio": tokens
        and found.tokens_per_second
        and round(found.tokens_per_second / (tokens / program_seconds), 4),
        "counted_step_ratio": counted_ratio,
        "plain_step_ms": plain_ms,
        "same_losses": losses == plain,
        "plain_again": again == plain,
    }


def percent(ratio: float | None) -> float | None:
    """Return a ratio in percent."""
    return None if ratio is None else round(100 * ratio, 2)


def counted_step(training: Training, watching: LoopWatch) -> tuple[float | None, float]:
    """Return how much longer the next counted step takes, and the milliseconds of the others."""
    (clock,) = watching.clocks
    work, times, counted = clock.phases.work, [], []
    work.counted, work._tries, work._begun_seconds = None, 0, 0.0
    last, before = time.perf_counter(), None

    def each() -> None:
        nonlocal last, before
        synchronize()
        now = time.perf_counter()
        # Without a loader, the step has ended.
        has_ended, before = before is None and work.counted is not None, work.counted
        is_counted = any(marks.work.is_counted for marks in watching.given.marks.values())
        if clock.info.bounded_by == "optimizer":
            is_counted = has_ended
        (counted if is_counted else times).append(now - last)
        last = time.perf_counter()

    until = time.perf_counter() + 20
    while not (counted and len(times) > 20) and time.perf_counter() < until:
        training.run(5, each)
    plain = statistics.median(times)
    return (round(counted[0] / plain, 2) if counted else None), round(1000 * plain, 3)


def tallied(watching: LoopWatch) -> Any:
    """Return the sums over all steps that were not tallied yet."""
    (clock,) = watching.clocks
    whole = None
    while (tally := tally_of(clock, 0.0)) is not None:
        whole = tally if whole is None else merged(whole, tally)
    return whole


def main() -> None:
    """Compare, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="")
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = {}
    for name, case in PROGRAMS.items():
        if not options.only or name in options.only.split(";"):
            try:
                found[name] = measured(case, options.seconds)
            except ModuleNotFoundError as missing:
                found[name] = {"skipped": str(missing)}
            if not options.json:
                print(name, found[name], flush=True)
    if options.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
