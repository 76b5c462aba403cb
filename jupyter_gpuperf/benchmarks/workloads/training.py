"""A training step on synthetic data that stays on the device: forward, loss, backward, optimizer.

Standard library only at module level.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jupyter_gpuperf.benchmarks.workloads.networks import (
    CLASSES,
    RESNET_18,
    RESNET_50,
    resnet,
    transformer,
)
from jupyter_gpuperf.errors import Unavailable
from jupyter_gpuperf.measure.device import precisions_of
from jupyter_gpuperf.measure.memory import largest_that_fits
from jupyter_gpuperf.state.switches import float32_as

NETWORKS: Final = ("resnet", "transformer")
PRECISION_HELP: Final = "fp32 without TF32; bf16 and fp16 by autocast."


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """The size of a step: ``batch`` images of ``side`` × ``side`` pixels, or ``batch`` texts of ``side`` tokens.

    ``width`` and ``layers`` are the transformer's.
    """

    batch: int
    side: int
    width: int = 0
    layers: int = 0


SIZES: Final = {
    ("resnet", "cuda"): Size(batch=128, side=224),
    ("resnet", "cpu"): Size(batch=4, side=96),
    ("resnet50", "cuda"): Size(batch=128, side=224),
    ("resnet50", "cpu"): Size(batch=2, side=64),
    ("transformer", "cuda"): Size(batch=16, side=1024, width=1024, layers=6),
    ("transformer", "cpu"): Size(batch=2, side=32, width=128, layers=1),
}
"""Size by network and device type: large enough to fill a GPU, or about a second per step on a CPU."""


class TrainingStep:
    """A network with its optimizer and one batch. A call trains one step.

    Parameters
    ----------
    network
        ``resnet`` (18 layers), ``resnet50`` or ``transformer``.
    precision
        ``fp32``, ``tf32``, ``bf16`` or ``fp16`` (autocast around the forward pass; fp16 with a gradient scaler).
    compiled
        Whether the network is compiled with ``torch.compile``.
    """

    def __init__(
        self,
        torch: Any,
        device: Any,
        *,
        network: str,
        size: Size,
        precision: str = "fp32",
        channels_last: bool = False,
        compiled: bool = False,
    ) -> None:
        self._torch, self._device, self._precision = torch, device, precision
        torch.manual_seed(0)
        module = _network(torch, network, size).to(device).train()
        self.inputs, self._targets = _batch(torch, device, network, size)
        if channels_last and network != "transformer":
            module = module.to(memory_format=torch.channels_last)
            self.inputs = self.inputs.to(memory_format=torch.channels_last)
        self.module = torch.compile(module) if compiled else module
        self._optimizer = torch.optim.SGD(module.parameters(), lr=1e-3, momentum=0.9)
        self._scaler = torch.amp.GradScaler(device.type) if precision == "fp16" else None
        self._autocast = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)

    def __call__(self) -> None:
        """Train one step."""
        with float32_as(self._torch, self._precision):
            self._optimizer.zero_grad(set_to_none=True)
            loss = self.forward()
            if self._scaler is None:
                loss.backward()
                self._optimizer.step()
            else:
                self._scaler.scale(loss).backward()
                self._scaler.step(self._optimizer)
                self._scaler.update()

    def forward(self) -> Any:
        """Return the loss. Enters autocast anew each time, because its cache would otherwise keep the cast weights."""
        kind = self._autocast
        with self._torch.autocast(self._device.type, dtype=kind, enabled=kind is not None):
            outputs = self.module(self.inputs).reshape(-1, CLASSES)
            return self._torch.nn.functional.cross_entropy(outputs, self._targets)


def fitting_size(
    torch: Any,
    device: Any,
    network: str,
    precisions: Sequence[str],
    warn: Callable[[str], None],
    **options: Any,
) -> Size:
    """Return the largest size at which the steps in all these precisions fit in memory at the same time."""

    def all_at_once(size: Size) -> None:
        make = functools.partial(TrainingStep, torch, device, network=network, size=size, **options)
        for step in [make(precision=precision) for precision in precisions]:
            step()

    return largest_that_fits(torch, all_at_once, SIZES[network, device.type], warn)


def check_precision(torch: Any, device: Any, precision: str) -> None:
    """Check that the device supports a precision.

    Raises
    ------
    Unavailable
        ``format_not_supported``: it does not.
    """
    known = precisions_of(torch, device)
    if precision not in known:
        message, hint = "This device does not support {precision}.", "Available: {known}."
        raise Unavailable("format_not_supported", message, hint, precision=precision, known=known)


def flop_of(torch: Any, step: TrainingStep) -> float:
    """Return the floating-point operations of one step's forward and backward pass, as torch counts them."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        step.forward().backward()
    return float(counter.get_total_flops())


def _network(torch: Any, network: str, size: Size) -> Any:
    if network == "transformer":
        return transformer(torch, width=size.width, heads=size.width // 64, layers=size.layers)
    if network == "resnet50":
        return resnet(torch, RESNET_50, bottleneck=True)
    return resnet(torch, RESNET_18, bottleneck=False)


def _batch(torch: Any, device: Any, network: str, size: Size) -> tuple[Any, Any]:
    if network == "transformer":
        inputs = torch.randn(size.batch, size.side, size.width, device=device)
        return inputs, torch.randint(0, CLASSES, (size.batch * size.side,), device=device)
    inputs = torch.randn(size.batch, 3, size.side, size.side, device=device)
    return inputs, torch.randint(0, CLASSES, (size.batch,), device=device)
