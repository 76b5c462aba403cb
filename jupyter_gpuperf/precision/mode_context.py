"""Run a cell in a mode so that it computes the same as a loop written by hand for this mode.

Autocast is entered around the whole cell. Alone, that would be wrong in two ways:

- The backward pass and the optimizer would run under autocast. So autocast is disabled while they run.
- Autocast caches the cast weights. Later steps would use stale weights, so training would make no progress and would
  look faster. So the cache is cleared wherever a hand-written loop leaves autocast.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from jupyter_gpuperf.errors import GpuPerfError, Unavailable
from jupyter_gpuperf.measure.device import precisions_of
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.precision.scaling import INITIAL_SCALE, Scaling
from jupyter_gpuperf.precision.step_window import StepWindow
from jupyter_gpuperf.state.switches import float32_as

MODES: Final = ("fp32", "tf32", "bf16", "fp16")
CURRENT_MODE: Final = "now"
"""The user's own setting: no switch is changed."""
AUTOCAST: Final = {"bf16": "bfloat16", "fp16": "float16"}
UNSUPPORTED_REASONS: Final = {
    ("tf32", "cpu"): Message("CPUs have no TF32."),
    ("fp16", "cpu"): Message("Not measured: fp16 is slower than fp32 on CPUs."),
    ("tf32", "cuda"): Message("TF32 needs compute capability 8.0 or newer."),
    ("bf16", "cuda"): Message("bf16 needs compute capability 8.0 or newer."),
}


@dataclass(slots=True)
class RunObserver:
    """Records what happens in a run. Callbacks that are ``None`` cost nothing.

    Parameters
    ----------
    on_loss
        Called with the tensor, or the sequence of tensors, that a backward pass starts from, before scaling.
    on_gradients
        Called with an optimizer before it steps, when its gradients are complete and unscaled.
    on_step
        Called with the optimizer after its step.
    initial_scale
        Initial scale of the gradient scaler, for modes that need one.
    """

    on_loss: Callable[[Any], object] | None = None
    on_gradients: Callable[[Any], object] | None = None
    on_step: Callable[[Any], object] | None = None
    initial_scale: float = INITIAL_SCALE
    steps: dict[int, int] = field(default_factory=dict)
    """``id`` of an optimizer → number of its steps."""
    backward_count: int = 0
    own_autocast: list[str] = field(default_factory=list)
    """Dtypes of the autocast contexts that the cell itself enters."""
    scaling: Scaling | None = None
    window: StepWindow | None = None
    """Ends a run early."""

    @property
    def step_count(self) -> int:
        """The number of steps of the optimizer that made the most."""
        return max(self.steps.values(), default=0)


@dataclass(frozen=True, slots=True)
class CellTraits:
    """Properties of the cell on which its modes depend."""

    device_type: str
    has_scaler: bool = False
    own_autocast: str | None = None
    """The dtype of the cell's own autocast; ``None`` without one."""
    clipped: tuple[Any, ...] = ()
    """Optimizers whose gradients the cell clips."""


def check_mode(torch: Any, mode: str, device: Any, cell_traits: CellTraits) -> None:
    """Refuse a mode that the device does not support or that the cell's own autocast overrides.

    Raises
    ------
    Unavailable
        ``mode_not_supported`` or ``own_autocast``.
    """
    if mode not in precisions_of(torch, device):
        unsupported = Message("This device does not support {mode}.", mode=mode)
        reason = UNSUPPORTED_REASONS.get((mode, device.type), unsupported)
        raise Unavailable("mode_not_supported", reason)
    if mode in AUTOCAST and cell_traits.own_autocast is not None:
        message = "The cell has its own autocast ({dtype}), which overrides this mode."
        hint = "To compare modes, remove autocast from the cell."
        raise Unavailable("own_autocast", message, hint, dtype=cell_traits.own_autocast)


@contextlib.contextmanager
def mode_applied(
    torch: Any, mode: str, cell_traits: CellTraits, observer: RunObserver
) -> Iterator[None]:
    """Run the body in ``mode``, and report what it does to ``observer``."""
    with contextlib.ExitStack() as stack:
        if mode in ("fp32", "tf32"):
            stack.enter_context(float32_as(torch, mode))
        observer.scaling = None
        if mode == "fp16" and not cell_traits.has_scaler:
            device, scale = cell_traits.device_type, observer.initial_scale
            observer.scaling = Scaling(torch, device, cell_traits.clipped, scale)
        outside = _OutsideAutocast(torch, cell_traits.device_type if mode in AUTOCAST else None)
        stack.enter_context(_backward(torch, outside, observer))
        if mode in AUTOCAST:
            for owner in (torch.no_grad, torch.inference_mode):
                forgetting = _forgetting_casts(torch, owner.__exit__)
                stack.enter_context(_replaced(owner, "__exit__", forgetting))
            dtype = getattr(torch, AUTOCAST[mode])
            stack.enter_context(torch.autocast(cell_traits.device_type, dtype=dtype))
        elif mode == CURRENT_MODE:
            noting = _noting_autocast(torch, observer)
            stack.enter_context(_replaced(torch.autocast, "__enter__", noting))
        # Innermost: when a step raises, autocast must be re-enabled before the mode leaves it.
        stack.enter_context(_steps(outside, observer))
        yield


class _OutsideAutocast:
    """Disables autocast for code that a hand-written loop runs outside its ``with torch.autocast`` block."""

    def __init__(self, torch: Any, device_type: str | None) -> None:
        self._torch, self._device_type = torch, device_type
        self.active = device_type is not None

    def __call__(self) -> Any:
        autocast, device_type = self._torch.autocast, self._device_type
        return autocast(device_type, enabled=False) if self.active else contextlib.nullcontext()

    def forget_casts(self) -> None:
        if self.active:
            self._torch.clear_autocast_cache()


@contextlib.contextmanager
def _replaced(owner: Any, name: str, new: Any) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, new)
    try:
        yield
    finally:
        setattr(owner, name, before)


@contextlib.contextmanager
def _backward(torch: Any, outside: _OutsideAutocast, observer: RunObserver) -> Iterator[None]:
    """Wrap ``torch.autograd.backward``, which ``tensor.backward()`` also calls, and ``torch.autograd.grad``."""
    backward, grad, scaling = torch.autograd.backward, torch.autograd.grad, observer.scaling

    @functools.wraps(backward)
    def around_backward(tensors: Any, *args: Any, **kwargs: Any) -> Any:
        if observer.window is not None:
            observer.window.before_backward()
        observer.backward_count += 1
        if observer.on_loss is not None:
            observer.on_loss(tensors)
        with outside():
            result = backward(scaling.scaled(tensors) if scaling else tensors, *args, **kwargs)
            if scaling is not None:
                scaling.after_backward()
        outside.forget_casts()
        return result

    @functools.wraps(grad)
    def around_grad(*args: Any, **kwargs: Any) -> Any:
        if scaling is not None:
            message = "fp16 not measured: torch.autograd.grad needs the cell's own scaler."
            hint = "Use your own torch.amp.GradScaler."
            raise GpuPerfError("grad_without_scaler", message, hint)
        with outside():
            result = grad(*args, **kwargs)
        outside.forget_casts()
        return result

    with (
        _replaced(torch.autograd, "backward", around_backward),
        _replaced(torch.autograd, "grad", around_grad),
    ):
        yield


class _Steps:
    """Hooks before and after each step of any optimizer."""

    def __init__(self, outside: _OutsideAutocast, observer: RunObserver) -> None:
        self._outside, self._observer = outside, observer
        self.entered: list[contextlib.AbstractContextManager[Any]] = []
        """Contexts that disable autocast, one for each step that has begun but not ended."""

    def before(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        closure = args[1] if args[1:] else kwargs.get("closure")
        if closure is not None and self._observer.scaling is not None:
            message = "fp16 not measured: torch's gradient scaler does not support optimizer.step(closure)."
            hint = "Compare bf16, which needs no scaler."
            raise GpuPerfError("closure_with_scaler", message, hint)
        if closure is not None:
            return  # the closure runs a forward pass, which needs autocast
        if self._observer.scaling is not None:
            self._observer.scaling.before_step(optimizer)
        if self._observer.on_gradients is not None:
            self._observer.on_gradients(optimizer)
        if self._outside.active:
            self.entered.append(self._outside())
            self.entered[-1].__enter__()

    def after(self, optimizer: Any, _args: Any, _kwargs: Any) -> None:
        observer = self._observer
        if self.entered:
            self.entered.pop().__exit__(None, None, None)
        if observer.scaling is not None:
            observer.scaling.after_step(optimizer)
        observer.steps[id(optimizer)] = observer.steps.get(id(optimizer), 0) + 1
        if observer.on_step is not None:
            observer.on_step(optimizer)
        self._outside.forget_casts()  # they are stale now: the weights have changed
        if observer.window is not None:
            observer.window.stepped(optimizer)


@contextlib.contextmanager
def _steps(outside: _OutsideAutocast, observer: RunObserver) -> Iterator[None]:
    from torch.optim import optimizer

    steps = _Steps(outside, observer)
    before = optimizer.register_optimizer_step_pre_hook(steps.before)
    after = optimizer.register_optimizer_step_post_hook(steps.after)
    try:
        yield
    finally:
        before.remove()
        after.remove()
        while steps.entered:  # a step raised
            steps.entered.pop().__exit__(None, None, None)


def _forgetting_casts(torch: Any, leave: Any) -> Any:
    """Return an ``__exit__`` of ``no_grad`` or ``inference_mode`` that first clears the cast cache.

    A weight that was cast without gradients must not be reused in a pass that needs them.
    """

    @functools.wraps(leave)
    def around_leave(self: Any, *error: Any) -> Any:
        torch.clear_autocast_cache()
        return leave(self, *error)

    return around_leave


def _noting_autocast(torch: Any, observer: RunObserver) -> Any:
    """Return an ``__enter__`` of autocast that also records the dtype."""
    enter = torch.autocast.__enter__

    @functools.wraps(enter)
    def noting(self: Any) -> Any:
        result = enter(self)
        for kind in ("cuda", "cpu"):
            if torch.is_autocast_enabled(kind):
                name = str(torch.get_autocast_dtype(kind)).removeprefix("torch.")
                observer.own_autocast.append(name)
        return result

    return noting
