"""Training and inference loops with a planted cause: what holds them up is in one phase of their steps.

python tests/perf/foreign_programs.py tests/perf/planted          runs them, and compares what is found with the cause
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import nn

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


class Program(NamedTuple):
    """A model, its optimizer, one item, and how the loop gets a batch."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    item: torch.Tensor
    batch_size: int = 32
    is_pinned: bool = True
    has_loader: bool = True
    log_seconds: float = 0.0


class Items(torch.utils.data.Dataset[torch.Tensor]):
    """So many views of one item."""

    def __init__(self, item: torch.Tensor) -> None:
        self.item = item

    def __len__(self) -> int:
        return 1_000_000

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.item


class Frozen(nn.Module):
    """Small layers that are not trained: all launches are in the forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = small(200).requires_grad_(requires_grad=False)
        self.head = nn.Linear(64, 64)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the outputs of the last layer."""
        return self.head(self.layers(inputs))


def small(layers: int, width: int = 64) -> nn.Module:
    """Return layers whose kernels are shorter than their launches; each has two tensors."""
    return nn.Sequential(*(nn.Linear(width, width) for _ in range(layers)))


def wide(layers: int = 6, width: int = 4096) -> nn.Module:
    """Return layers that keep the device busy."""
    return nn.Sequential(
        *(nn.Sequential(nn.Linear(width, width), nn.GELU()) for _ in range(layers))
    )


def program(model: nn.Module, width: int = 64, *, batch_size: int = 32, **options: Any) -> Program:
    """Return a program; ``fused`` and ``foreach`` are the optimizer's."""
    own = {name: options.pop(name) for name in ("fused", "foreach") if name in options}
    model = model.to(DEVICE)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, **own)
    return Program(model, optimizer, torch.randn(width), batch_size, **options)


CASES: dict[str, Callable[[], Program]] = {
    "one by one": lambda: program(small(200), foreach=False),
    "one by one, no loader": lambda: program(small(200), foreach=False, has_loader=False),
    "in groups": lambda: program(small(200)),
    "fused": lambda: program(small(200), fused=True),
    "in the forward pass": lambda: program(Frozen(), fused=True),
    "logs": lambda: program(wide(), 4096, batch_size=256, fused=True, log_seconds=0.03),
    "pageable copies": lambda: program(
        wide(2), 4096, batch_size=16384, fused=True, is_pinned=False
    ),
    "pinned copies": lambda: program(wide(), 4096, batch_size=4096, fused=True),
    "busy, not fused": lambda: program(wide(), 4096, batch_size=2048),
}


def log(seconds: float) -> None:
    """Do what a loop's own function for logging would."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        sum(range(200))


def batches(of: Program) -> Iterator[torch.Tensor]:
    """Yield batches: of a loader that has them ready on the host, or always the same one on the device."""
    batch = torch.stack([of.item] * of.batch_size)
    if of.is_pinned and DEVICE == "cuda":
        batch = batch.pin_memory()
    if of.has_loader:
        items = Items(batch)
        yield from torch.utils.data.DataLoader(items, batch_size=None, pin_memory=of.is_pinned)
    batch = batch.to(DEVICE)
    while True:
        yield batch


def train(of: Program) -> None:
    """Train until the process is interrupted."""
    for batch in batches(of):
        inputs = batch.to(DEVICE, non_blocking=of.is_pinned)
        with torch.autocast(DEVICE, torch.bfloat16):
            loss = of.model(inputs).float().square().mean()
        loss.backward()
        of.optimizer.step()
        of.optimizer.zero_grad(set_to_none=True)
        if of.log_seconds:
            log(of.log_seconds)


MODELS: dict[str, Callable[[], tuple[nn.Module, torch.Tensor]]] = {
    "inference, small layers": lambda: (small(200), torch.randn(4, 64)),
    "inference, busy": lambda: (wide(), torch.randn(4096, 4096)),
}


@torch.no_grad()
def infer(model: nn.Module, inputs: torch.Tensor) -> None:
    """Call a model until the process is interrupted. Needs Python 3.12 to be seen."""
    model, inputs = model.to(DEVICE).bfloat16(), inputs.to(DEVICE).bfloat16()
    while True:
        for _ in range(20):
            model(inputs)
        model(inputs).argmax().item()


if __name__ == "__main__":
    if sys.argv[1] in MODELS:
        infer(*MODELS[sys.argv[1]]())
    train(CASES[sys.argv[1]]())
