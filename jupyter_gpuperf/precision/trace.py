"""Record what a run computed: its losses, the first step's gradients and weight changes, and its operators."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from jupyter_gpuperf.precision.census import CASTS, VIEWS, observing_operators
from jupyter_gpuperf.precision.mode_context import RunObserver
from jupyter_gpuperf.precision.session import ProfileSession
from jupyter_gpuperf.state.tensors import copy_of

LARGEST_FP16: Final = 65_504.0
MOST_TRACED: Final = 20_000


@dataclass(slots=True)
class Trace:
    """What one or several consecutive runs computed.

    Attributes
    ----------
    losses
        Value of the tensor that each backward pass started from; the mean when it has several elements.
    gradients
        Parameter's name → its gradient at the first step, unscaled.
    updates
        Parameter's name → how much the first step changed it.
    outputs
        Name → tensor that the cell computed; only for a cell without a backward pass.
    integers
        Name → tensor of integers or booleans, likewise, such as generated tokens.
    steps_skipped
        Optimizer steps that were skipped because a gradient was not finite.
    is_random
        Whether the runs drew random numbers.
    """

    losses: list[float] = field(default_factory=list)
    gradients: dict[str, Any] = field(default_factory=dict)
    updates: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    integers: dict[str, Any] = field(default_factory=dict)
    steps_skipped: int = 0
    is_random: bool = True

    @property
    def curve(self) -> list[float]:
        """The losses; for a cell without a backward pass, the means of its outputs."""
        means = (float(self.outputs[name].double().mean()) for name in sorted(self.outputs))
        return self.losses or list(means)


class Tracer:
    """Fills a :class:`Trace` through the callbacks of a :class:`RunObserver`."""

    def __init__(self, names: Mapping[int, str], *, details: bool, on_host: bool) -> None:
        self._names, self._details, self._on_host = names, details, on_host
        self._losses: list[Any] = []
        self._weights: dict[str, Any] = {}
        self._stepped: set[int] = set()
        self.trace = Trace()

    def observer(self) -> RunObserver:
        """Return an observer that reports to this tracer."""
        return RunObserver(
            on_loss=self._on_loss,
            on_gradients=self._on_gradients if self._details else None,
            on_step=self._on_step if self._details else None,
        )

    def finish(self, observer: RunObserver) -> Trace:
        """Read the losses from the device and return the trace."""
        self.trace.losses = [float(each) for each in self._losses]
        self.trace.steps_skipped = observer.scaling.steps_skipped if observer.scaling else 0
        return self.trace

    def _on_loss(self, tensors: Any) -> None:
        each = tensors[0] if isinstance(tensors, (list, tuple)) else tensors
        # Not read here: that would make the host wait for the device.
        self._losses.append(each.detach().float().mean())

    def _on_gradients(self, optimizer: Any) -> None:
        if id(optimizer) not in self._stepped:
            for name, parameter in self._parameters(optimizer):
                if parameter.grad is not None:
                    self.trace.gradients[name] = self._copied(parameter.grad)
                    self._weights[name] = self._copied(parameter)

    def _on_step(self, optimizer: Any) -> None:
        self._stepped.add(id(optimizer))
        for name, parameter in self._parameters(optimizer) if self._weights else ():
            if name in self._weights:
                before = self._weights.pop(name)
                self.trace.updates[name] = parameter.detach().to(before.device) - before

    def _copied(self, tensor: Any) -> Any:
        return copy_of(tensor.detach(), on_host=self._on_host)

    def _parameters(self, optimizer: Any) -> Iterator[tuple[str, Any]]:
        parameters = (each for group in optimizer.param_groups for each in group["params"])
        for index, parameter in enumerate(parameters):
            yield self._names.get(id(parameter), f"parameter {index}"), parameter


def trace_runs(
    session: ProfileSession, mode: str, *, runs: int, details: bool = True, seed: int | None = None
) -> Trace:
    """Restore the initial state, run the cell ``runs`` times in a row, and return what it computed.

    Parameters
    ----------
    details
        Whether to keep the first step's gradients and weight changes.
    seed
        Seed for the cell's random numbers. With ``None``, they are the same as in the ordinary run.
    """
    tracer = Tracer(
        session.before.reached.parameter_names(), details=details, on_host=session.before.on_host
    )
    with session.in_mode(mode, tracer.observer()) as observer:
        if seed is not None:
            session.before.randomness.reseed(seed)
        known = {id(value) for value in session.subject.namespace.values()}
        session.run_cell()
        if not observer.backward_count:
            made = _tensors_made(session, known)
            tracer.trace.outputs = {k: x for k, x in made.items() if x.is_floating_point()}
            tracer.trace.integers = {k: x for k, x in made.items() if k not in tracer.trace.outputs}
        for _ in range(runs - 1):
            session.run_cell()
    session.synchronize()
    if seed is None:
        tracer.trace.is_random = session.before.randomness.drawn_from()
    return tracer.finish(observer)


def _tensors_made(session: ProfileSession, known: set[int]) -> dict[str, Any]:
    torch = session.torch
    return {
        name: value.detach().clone()
        for name, value in session.subject.namespace.items()
        if name not in session.subject.hidden
        and isinstance(value, torch.Tensor)
        and not value.is_complex()
        and id(value) not in known
    }


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator that ran, with the dtype, shape and norm of its output."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    norm: float


@contextlib.contextmanager
def tracing_operators(torch: Any) -> Iterator[list[Operator]]:
    """Record the operators that run inside the context, in order. The list is filled on exit."""
    seen: list[tuple[str, str, tuple[int, ...], Any]] = []

    def on_operator(function: Any, _args: Any, _kwargs: Any, result: Any) -> None:
        name = function.overloadpacket.__name__
        if name in VIEWS or name in CASTS or len(seen) >= MOST_TRACED:
            return
        first = result[0] if isinstance(result, (tuple, list)) and result else result
        if isinstance(first, torch.Tensor) and first.is_floating_point():
            norm = first.detach().double().norm() if first.numel() else 0.0  # read at the end
            dtype = str(first.dtype).removeprefix("torch.")
            seen.append((name, dtype, tuple(first.shape), norm))

    done: list[Operator] = []
    with observing_operators(on_operator):
        yield done
    done += [Operator(name, dtype, shape, float(norm)) for name, dtype, shape, norm in seen]
