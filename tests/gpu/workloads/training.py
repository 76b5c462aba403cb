"""Loops that several workloads run, over the networks of the package's own benchmarks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from looping import Setup

from jupyter_gpuperf.benchmarks.workloads.networks import resnet, transformer

RESNET_18, RESNET_50 = (2, 2, 2, 2), (3, 4, 6, 3)


def images(setup: Setup, batch: int) -> Any:
    """Return a batch of images on the device."""
    side = setup.size(224, 32)
    return setup.torch.randn(setup.size(batch, 2), 3, side, side, device=setup.device)


def image_network(setup: Setup, depths=RESNET_50) -> Any:
    """Return a residual network on the device."""
    network = resnet(setup.torch, depths, bottleneck=depths == RESNET_50)
    return network.to(setup.device, memory_format=setup.torch.channels_last)


def language_network(setup: Setup, width: int = 1024, layers: int = 12) -> Any:
    """Return a stack of transformer blocks on the device."""
    width = setup.size(width, 64)
    network = transformer(setup.torch, width=width, heads=width // 64, layers=setup.size(layers, 1))
    return network.to(setup.device)


def tokens(setup: Setup, batch: int, width: int = 1024, length: int = 512) -> Any:
    """Return embedded tokens on the device."""
    shape = (setup.size(batch, 2), setup.size(length, 8), setup.size(width, 64))
    return setup.torch.randn(*shape, device=setup.device)


def trained(
    setup: Setup,
    network: Any,
    batches: Iterable[Any],
    *,
    dtype: str | None = "bfloat16",
    after: Callable[[Any, int], None] = lambda _loss, _step: None,
    accumulate: int = 1,
) -> Iterator[None]:
    """Train on each batch; yield after each. ``dtype`` is autocast's type, or ``None`` without autocast."""
    torch = setup.torch
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, fused=setup.device == "cuda")
    kind = getattr(torch, dtype or "bfloat16")
    for step, batch in enumerate(batches):
        inputs = batch.to(setup.device, non_blocking=True)
        with torch.autocast(setup.device, dtype=kind, enabled=dtype is not None):
            loss = network(inputs).float().square().mean()
        loss.backward()
        if step % accumulate == accumulate - 1:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        after(loss, step)
        yield


def again(batch: Any) -> Iterator[Any]:
    """Yield the same batch forever."""
    while True:
        yield batch


def epochs(loader: Any) -> Iterator[Any]:
    """Yield all batches, epoch after epoch."""
    while True:
        for batch in loader:
            yield batch[0] if isinstance(batch, (list, tuple)) else batch


class Items:
    """A dataset of random images, each made by ``make``."""

    def __init__(self, make: Callable[[int], Any], count: int = 100_000) -> None:
        self.make, self.count = make, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Any:
        return self.make(index)
