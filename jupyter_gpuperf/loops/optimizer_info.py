"""Describe the optimizers that step in a loop, once for each new one, in a thread other than the loop's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from jupyter_gpuperf.loops.clock import LoopClock
from jupyter_gpuperf.schemas.phases import OptimizerInfo

KERNELS: Final = {
    "Adam": "aten::_fused_adam_",
    "AdamW": "aten::_fused_adamw_",
    "SGD": "aten::_fused_sgd_",
    "Adagrad": "aten::_fused_adagrad_",
}
"""Classes of torch that take ``fused=True``, and what runs then. Not every version of torch has all for each kind of device."""


def describe_optimizers(torch: Any, clocks: Iterable[LoopClock]) -> None:
    """Describe the optimizers that each clock's loop has stepped, if there are new ones."""
    for clock in clocks:
        seen = clock.phases.optimizers
        if seen is not clock.described_optimizers:
            clock.described_optimizers = seen
            optimizers = [each for reference in seen if (each := reference()) is not None]
            found = _described(torch, optimizers)
            clock.info = msgspec.structs.replace(clock.info, optimizer=found)


def _described(torch: Any, optimizers: Sequence[Any]) -> OptimizerInfo | None:
    try:
        tensors = {id(each): _tensors_of(each) for each in optimizers}
        groups = [group for each in optimizers for group in each.param_groups]
        largest = max(optimizers, key=lambda each: len(tensors[id(each)]))
        are_fusible = all(can_be_fused(torch, each) for each in optimizers)
        return OptimizerInfo(
            class_name=type(largest).__name__[:200],
            tensors_count=sum(map(len, tensors.values())),
            is_fused=any(each.get("fused") for each in groups) if are_fusible else None,
            is_foreach=all(_is_foreach(torch, each) for each in groups),
        )
    except Exception:  # noqa: BLE001  (an optimizer with different internals, or none that is left)
        return None


def _tensors_of(optimizer: Any) -> list[Any]:
    return [each for group in list(optimizer.param_groups) for each in list(group["params"])]


def _is_foreach(torch: Any, group: Any) -> bool:
    if group.get("foreach") is not None:
        return bool(group["foreach"])
    plain = (torch.Tensor, torch.nn.Parameter)  # others are updated one after the other
    return all(type(each) in plain for each in list(group["params"]))


def can_be_fused(torch: Any, optimizer: Any) -> bool:
    """Return whether torch would take ``fused=True``; ``False`` for a class of the user's own, even if derived."""
    kind = type(optimizer)
    kernel = KERNELS.get(kind.__name__)
    if kernel is None or not kind.__module__.startswith("torch.optim."):
        return False
    has_kernel = torch._C._dispatch_has_kernel_for_dispatch_key
    tensors = _tensors_of(optimizer)
    devices = {each.device.type for each in tensors}
    return (
        all(has_kernel(kernel, device.upper()) for device in devices)
        and all(each.dtype.is_floating_point for each in tensors)
        and not any(getattr(each.grad, "is_sparse", False) for each in tensors)
        and not any(group.get("differentiable") for group in optimizer.param_groups)
    )
