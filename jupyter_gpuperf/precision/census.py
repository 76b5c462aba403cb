"""Count which operators ran in which dtype, forward and backward, after all casts.

A dispatch mode below autocast sees the dtypes that GPU kernels get. It takes some microseconds per operator, so runs
with it are not timed.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from jupyter_gpuperf.state.switches import tf32_is_on

CONVOLUTIONS: Final = ("convolution", "cudnn_convolution", "_slow_conv2d", "mkldnn_convolution")
RECURRENT: Final = {
    "_cudnn_rnn": 1,
    "_cudnn_rnn_backward": 2,
    "mkldnn_rnn_layer": 1,
    "mkldnn_rnn_layer_backward": 2,
}
"""Operator → number of products with each weight matrix. torch has no FLOP formula for these operators."""
CASTS: Final = ("_to_copy", "_autocast_to_reduced_precision", "_autocast_to_full_precision")

VIEWS: Final = {
    *("detach", "t", "view", "_unsafe_view", "expand", "select", "slice", "unsqueeze", "equal"),
    *("squeeze", "transpose", "permute", "as_strided", "split", "alias", "empty_like"),
    *("unbind", "reshape", "chunk", "split_with_sizes", "_reshape_alias", "is_same_size"),
}
"""Operators that compute nothing."""
KEPT_FOR_ACCURACY: Final = {
    *("exp", "log", "pow", "rsqrt", "softplus", "logsumexp", "cumsum", "cumprod", "prod"),
    *("sum", "mean", "dist", "var", "std"),
}
"""Operators that autocast keeps in float32, as whole words of their names."""
KEPT_FAMILIES: Final = ("softmax", "norm", "loss", "upsample", "cross_entropy")
"""More operators that autocast keeps in float32, as parts of their names."""
OPTIMIZER_OPERATORS: Final = ("_foreach_", "_fused_", "addcdiv", "addcmul", "lerp", "sqrt")


@dataclass(slots=True)
class OperatorCount:
    """Calls and FLOPs of one operator in one dtype."""

    operator: str
    dtype: str
    calls: int = 0
    flop: float = 0.0


@dataclass(slots=True)
class Census:
    """Operators, dtypes and casts of one run of a cell."""

    operators: dict[tuple[str, str], OperatorCount] = field(default_factory=dict)
    casts: int = 0
    cast_bytes: int = 0

    def count(self, operator: str, dtype: str, flop: float) -> None:
        """Add one call of an operator."""
        each = self.operators.setdefault((operator, dtype), OperatorCount(operator, dtype))
        each.calls += 1
        each.flop += flop

    @property
    def flop(self) -> float:
        """FLOPs of all products and convolutions."""
        return sum(each.flop for each in self.operators.values())

    def flop_shares(self) -> dict[str, float]:
        """Return dtype → its share of the FLOPs, the largest first; empty when nothing was counted."""
        sums: dict[str, float] = defaultdict(float)
        for each in self.operators.values():
            sums[each.dtype] += each.flop
        largest_first = sorted(sums.items(), key=lambda pair: -pair[1])
        return {name: flop / self.flop for name, flop in largest_first if flop}

    def to_dict(self) -> dict[str, Any]:
        """Return the census as plain data. It lists why operators stayed in float32, most frequent first."""
        in_float32 = [each for each in self.operators.values() if each.dtype == "float32"]
        return {
            "flop": self.flop,
            "flop_shares": self.flop_shares(),
            "casts": self.casts,
            "cast_bytes": self.cast_bytes,
            "operators": [asdict(each) for each in self.operators.values()],
            "stayed_float32": [
                {
                    "operator": each.operator,
                    "calls": each.calls,
                    "why": why_float32(each.operator, each.flop),
                }
                for each in sorted(in_float32, key=lambda each: -each.calls)
            ],
        }


def why_float32(operator: str, flop: float) -> str:
    """Return why autocast left an operator in float32."""
    if operator.startswith(OPTIMIZER_OPERATORS):
        return "the optimizer's own arithmetic"
    if flop:
        return "its inputs are outside of autocast"
    words = set(operator.split("_"))
    if words & KEPT_FOR_ACCURACY or any(piece in operator for piece in KEPT_FAMILIES):
        return "kept for accuracy"
    return "takes the format of its inputs"


@contextlib.contextmanager
def counting_operators(torch: Any) -> Iterator[Census]:
    """Count the operators that run inside the context."""
    from torch.utils._pytree import tree_leaves

    census = Census()

    def on_operator(function: Any, args: Any, kwargs: Any, result: Any) -> None:
        tensors = [each for each in tree_leaves((args, kwargs)) if isinstance(each, torch.Tensor)]
        inputs = [each for each in tensors if each.is_floating_point()]
        name = function.overloadpacket.__name__
        if not inputs or name in VIEWS:
            return
        if name not in CASTS:
            flop = _flop_of(function, name, args, kwargs, result)
            census.count(name, _dtype_of(torch, name, inputs, flop), flop)
        elif isinstance(result, torch.Tensor) and result.dtype != inputs[0].dtype:
            census.casts += 1
            census.cast_bytes += result.numel() * result.element_size()

    with observing_operators(on_operator):
        yield census


def observing_operators(on_operator: Callable[[Any, Any, Any, Any], object]) -> Any:
    """Return a context that calls ``on_operator`` after each operator with its function, args, kwargs and result."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Observing(TorchDispatchMode):  # type: ignore[misc]  # untyped where torch is not installed
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            result = func(*args, **(kwargs or {}))
            on_operator(func, args, kwargs or {}, result)
            return result

    return Observing()


def _flop_of(function: Any, name: str, args: Any, kwargs: Any, result: Any) -> float:
    from torch.utils.flop_counter import flop_registry

    formula = flop_registry.get(function.overloadpacket)
    if formula is not None:
        with contextlib.suppress(Exception):  # the formula may not support this shape
            return float(formula(*args, **kwargs, out_val=result))
    return RECURRENT[name] * _recurrent_flop(args) if name in RECURRENT else 0.0


def _dtype_of(torch: Any, name: str, inputs: list[Any], flop: float) -> str:
    """Return the dtype in which an operator computed; for products, that of the narrowest input."""
    narrowest = min(inputs, key=lambda each: each.element_size()) if flop else inputs[0]
    dtype = str(narrowest.dtype).removeprefix("torch.")
    if flop and dtype == "float32" and narrowest.device.type == "cuda":
        products, convolutions = tf32_is_on(torch)
        is_convolution = name.startswith(CONVOLUTIONS) or name in RECURRENT
        return "tf32" if (convolutions if is_convolution else products) else dtype
    return dtype


def _recurrent_flop(args: Any) -> float:
    """Return the FLOPs of one product with each weight: two per weight, time step and sequence.

    0 when the input is not a batch of sequences.
    """
    tensors = [each for each in args if hasattr(each, "dim")]
    if not tensors or tensors[0].dim() != 3:
        return 0.0
    listed = [part for each in args if isinstance(each, (list, tuple)) for part in each]
    matrices = [each for each in listed if hasattr(each, "dim") and each.dim() == 2]
    weights = matrices or [each for each in tensors[1:] if each.dim() == 2]
    sequences = tensors[0].shape[0] * tensors[0].shape[1]
    return float(2 * sequences * sum(each.numel() for each in weights))
