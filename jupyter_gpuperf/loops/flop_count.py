"""Count the operations of one real step, while torch runs it as always: a dispatch mode looks at each operator's tensors.

The mode is active only within the forward pass of the outermost module and within ``torch.autograd.backward``, each in a
``try`` with ``finally``, so it can't outlast them. What ran outside of that forward pass is known from the backward pass:
each node of the graph there runs the gradients of one operator.
"""

from __future__ import annotations

import contextlib
import math
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from jupyter_gpuperf.loops.flop_formulas import CallFlops, flops_of, may_be_uncounted
from jupyter_gpuperf.loops.flop_mode import new_mode, obstacle
from jupyter_gpuperf.loops.step_inputs import StepInputs
from jupyter_gpuperf.schemas.work import FlopsFormat, FlopsUnknown

NEGLIGIBLE: Final = 0.02
"""Share of a step's operations that may stay unknown."""
NODES: Final = (
    *("Mm", "Addmm", "Bmm", "Baddbmm", "Addbmm", "GroupedMm"),
    *("Convolution", "ScaledDotProduct"),
)
"""Begins of the names of graph nodes that run the gradients of one operator; others may run those of several."""
FORMATS: Final[dict[str, FlopsFormat]] = {
    "torch.float64": "fp64",
    "torch.float32": "fp32",
    "torch.float16": "fp16",
    "torch.bfloat16": "bf16",
    "torch.float8_e4m3fn": "fp8",
    "torch.float8_e5m2": "fp8",
}


class CountedStep(NamedTuple):
    """What was counted, per backward pass; with the reason if it is not known.

    Attributes
    ----------
    inputs
        What the outermost module was given; without that, what embeddings and convolutions were.
    embeds_tokens
        Whether no embedding took other integers than those that look like tokens.
    """

    flops: float | None
    format: FlopsFormat | None
    unknown: FlopsUnknown | None
    inputs: StepInputs
    embeds_tokens: bool = True


class OperationCount:
    """The operations of one step, so far.

    Parameters
    ----------
    frozen_ratio
        The share of the model's parameters that get no gradient.
    """

    def __init__(self, torch: Any, frozen_ratio: float) -> None:
        self.unknown: FlopsUnknown | None = None
        self.has_begun = False
        self._torch, self._frozen_ratio = torch, frozen_ratio
        self._forward = self._backward = self._derived = self._loose = 0.0
        self._formats: defaultdict[FlopsFormat, float] = defaultdict(float)
        self._in_backward = False
        self._passes = 0
        self._nodes: dict[int, Any] = {}
        self._embedded: set[tuple[int, ...]] = set()
        self._largest: tuple[int, ...] = (0,)
        self._tokens = 0.0
        self._batch_sizes: set[int] = set()
        self._node: Any = getattr(torch._C, "_current_autograd_node", None)
        if self._node is None:  # then nothing shows what is recomputed
            self.unknown = "uncounted_operations"

    @contextlib.contextmanager
    def forward_pass(self) -> Iterator[None]:
        """Count within this context, if that changes nothing else."""
        with self._counting(in_backward=False):
            yield

    @contextlib.contextmanager
    def backward_pass(self, *, keeps_graph: bool, creates_graph: bool) -> Iterator[None]:
        """Count within this context, likewise."""
        if creates_graph:  # what is recomputed looks like the gradients
            self.unknown = "uncounted_operations"
        with self._counting(in_backward=True):
            yield
        if not keeps_graph:
            self._passes += 1
            self._tokens += math.prod(self._largest)
            self._nodes.clear()

    @contextlib.contextmanager
    def _counting(self, *, in_backward: bool) -> Iterator[None]:
        if self.unknown is None:
            self.unknown = obstacle(self._torch)
        if self.unknown is not None:
            yield
            return
        self.has_begun, self._in_backward = True, in_backward
        mode = self._entered_mode()
        try:
            yield
        finally:
            if mode is not None:
                mode.__exit__(None, None, None)
            self.unknown = self.unknown or obstacle(self._torch)  # such as a first compilation

    def _entered_mode(self) -> Any:
        try:
            return new_mode(self._torch, self.add).__enter__()
        except Exception:  # noqa: BLE001  (the user's loop must continue)
            self.unknown = "other_modes"
            return None

    def add(self, func: Any, args: Any, result: Any, has_subclass: bool) -> None:
        """Take note of a call of an operator. Never raises."""
        try:
            self._add(func.namespace, func.overloadpacket.__name__, args, result)
            if has_subclass:
                self.unknown = "other_tensors"
        except Exception:  # noqa: BLE001  (the user's loop must continue)
            self.unknown = self.unknown or "uncounted_operations"

    def _add(self, namespace: str, name: str, args: Any, result: Any) -> None:
        node = self._node() if self._in_backward else None
        if node is not None and _hides_kernels(node):
            self.unknown = "uncounted_operations"
        if node is not None and self._torch.is_grad_enabled():
            return  # recomputed, for a checkpoint
        call = flops_of(name, args, result) if namespace == "aten" else None
        if call is not None:
            self._add_call(name, call, node)
            return
        self._take_embedding(name, args)
        if may_be_uncounted(namespace, name):
            self.unknown = "uncounted_operations"

    def _add_call(self, name: str, call: CallFlops, node: Any) -> None:
        if call.operand.layout is not self._torch.strided:
            self.unknown = "other_tensors"
        self._formats[_format(self._torch, name, call.operand)] += call.flops
        if "convolution" in name:
            self._batch_sizes.add(int(call.operand.shape[0]))
        if not self._in_backward:
            self._forward += call.flops
            return
        self._backward += call.flops
        if node is None or not node.name().startswith(NODES):
            self._loose += call.flops
        elif id(node) not in self._nodes:
            self._nodes[id(node)] = node  # kept, so that its id stays its own
            self._derived += call.forward_flops

    def _take_embedding(self, name: str, args: Any) -> None:
        if name in {"embedding", "embedding_dense_backward"}:
            shape = tuple(args[1].shape)
            self._embedded.add(shape)
            if len(shape) > 1 and math.prod(shape) > math.prod(self._largest):
                self._largest = shape

    def result(self, inputs: StepInputs | None, seen: StepInputs | None = None) -> CountedStep:
        """Return what the step did, per backward pass.

        Parameters
        ----------
        inputs
            What the outermost module was given, if that was seen.
        seen
            What it was given in another step, likewise.
        """
        passes = max(1, self._passes)
        sizes = set(map(math.prod, self._embedded))
        embeds_tokens = not sizes or (
            self._tokens > 0 if inputs is None else inputs.elements in sizes
        )
        inputs = inputs or seen
        if inputs is None and self._tokens:
            samples, tokens = self._largest[0], self._tokens / passes
            inputs = StepInputs(None, samples * tokens / math.prod(self._largest), tokens)
        elif inputs is None and len(self._batch_sizes) == 1:
            inputs = StepInputs(None, float(*self._batch_sizes))
        unknown = self.unknown or self._missing(has_forward=self._forward > 0)
        flops = (self._backward + max(self._forward, self._derived)) / passes
        most = max(self._formats, key=self._formats.__getitem__, default=None)
        return CountedStep(
            None if unknown else flops,
            None if unknown else most,
            unknown,
            inputs or StepInputs(),
            embeds_tokens,
        )

    def _missing(self, *, has_forward: bool) -> FlopsUnknown | None:
        if not self._passes or not self._backward:
            return "no_backward_pass"
        is_covered = has_forward and self._passes == 1
        if not is_covered and self._frozen_ratio > NEGLIGIBLE:
            return "frozen_layers"
        if not is_covered and self._loose > NEGLIGIBLE * self._backward:
            return "uncounted_operations"
        return None


def _hides_kernels(node: Any) -> bool:
    """Return whether a node is a function in Python, which may call kernels that are no operators."""
    function = getattr(node, "_forward_cls", None)
    if function is None:
        return False
    module = function.__module__
    return not module.startswith("torch.") or module.startswith("torch.cuda.graphs")


def _format(torch: Any, name: str, operand: Any) -> FlopsFormat:
    found = FORMATS[str(operand.dtype)]
    if found == "fp32" and operand.is_cuda and _uses_tf32(torch, name):
        return "tf32"
    return found


def _uses_tf32(torch: Any, name: str) -> bool:
    if torch.cuda.get_device_capability()[0] < 8:  # Ampere
        return False
    backends = torch.backends
    is_convolution = "convolution" in name
    owner: Any = getattr(backends.cudnn, "conv", None) if is_convolution else backends.cuda.matmul
    newer = getattr(owner, "fp32_precision", None)
    if newer is not None:  # reading the older setting may raise where torch has this one
        return bool(newer == "tf32")
    return bool((backends.cudnn if is_convolution else owner).allow_tf32)
