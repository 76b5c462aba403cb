"""The floating-point operations of single calls of torch's operators, from the shapes of their tensors.

A multiply-add counts as two, and only matrix products, convolutions and attention count, as in published figures of model
FLOPs. torch's own formulas (``torch.utils.flop_counter``) are not used: importing them imports Triton, their backward
pass of a grouped convolution is too large by the number of groups, that of attention contains its recomputation, and
attention on the CPU is missing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

ATTENTION: Final = "_scaled_dot_product_"
BACKWARD: Final = "_backward"
UNCOUNTED: Final = re.compile(
    r"(^|_)(\w*mm|addmv|addr|mv|conv\d*d?|\w*convolution\w*|\w*rnn\w*|lstm|gru|\w*attention\w*|linear|matmul|einsum"
    r"|bilinear|trilinear|transformer\w*|linalg_(solve|inv|eig|svd|qr|cholesky|lu|ldl)\w*)($|_)"
)
"""Names of operators that may do much arithmetic; without a formula, a step that calls one is not counted."""
HARMLESS: Final = re.compile(r"upsample|_convert_|fused_sdp_choice|fused_(lstm|gru)_cell")
"""Of these, the names of those that do little, or whose products are operators of their own."""
OTHER_LIBRARIES: Final = frozenset(
    {"aten", "prim", "prims", "profiler", "c10d", "_c10d_functional"}
)
"""Namespaces without arithmetic of their own. What operators of others do is not known."""


class CallFlops(NamedTuple):
    """The operations of a call.

    Attributes
    ----------
    flops
        In this call.
    forward_flops
        In the call of the forward pass to which this one belongs: the same, or a part if it computes several gradients.
    operand
        The tensor whose number format is that of the arithmetic.
    """

    flops: float
    forward_flops: float
    operand: Any


def may_be_uncounted(namespace: str, name: str) -> bool:
    """Return whether an operator without a formula may do arithmetic that counts."""
    if namespace not in OTHER_LIBRARIES:
        return True
    return bool(UNCOUNTED.search(name)) and not HARMLESS.search(name)


def flops_of(name: str, args: Sequence[Any], result: Any) -> CallFlops | None:
    """Return the operations of a call of ``aten::<name>``; ``None`` if there is no formula for it."""
    formula = _FORMULAS.get(name)
    if formula is None and name.startswith(ATTENTION):
        formula = _attention_backward if name.endswith(BACKWARD) else _attention
    return None if formula is None else formula(args, result)


def _product(first: int) -> Callable[[Sequence[Any], Any], CallFlops]:
    def formula(args: Sequence[Any], _: Any) -> CallFlops:
        one, other = args[first], args[first + 1]
        flops = 2.0 * one.numel() * other.shape[-1]
        return CallFlops(flops, flops, one)

    return formula


def _convolution(args: Sequence[Any], result: Any) -> CallFlops:
    flops = _convolved(args[0], args[1], result, is_transposed=bool(args[6]))
    return CallFlops(flops, flops, args[0])


def _convolution_backward(args: Sequence[Any], _: Any) -> CallFlops:
    flops = _convolved(args[1], args[2], args[0], is_transposed=bool(args[7]))
    gradients = sum(map(bool, args[10][:2]))
    return CallFlops(gradients * flops, flops, args[1])


def _convolved(inputs: Any, weight: Any, outputs: Any, *, is_transposed: bool) -> float:
    positions: float = math.prod((inputs if is_transposed else outputs).shape[2:])
    return 2.0 * positions * float(inputs.shape[0] * weight.numel())


def _attention(args: Sequence[Any], _: Any) -> CallFlops:
    query, key, value = args[:3]
    rows = query.numel() / query.shape[-1]
    flops = 2.0 * rows * key.shape[-2] * (query.shape[-1] + value.shape[-1])
    return CallFlops(flops, flops, query)


def _attention_backward(args: Sequence[Any], result: Any) -> CallFlops:
    # Kernels compute the scores once more; that is recomputation.
    forward = _attention(args[1:], result)
    return CallFlops(2 * forward.flops, forward.flops, forward.operand)


_FORMULAS: Final[dict[str, Callable[[Sequence[Any], Any], CallFlops]]] = {
    "mm": _product(0),
    "bmm": _product(0),
    "_scaled_mm": _product(0),
    "_grouped_mm": _product(0),
    "addmm": _product(1),
    "baddbmm": _product(1),
    "addbmm": _product(1),
    "_addmm_activation": _product(1),
    "convolution": _convolution,
    "convolution_backward": _convolution_backward,
}
