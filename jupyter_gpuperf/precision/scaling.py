"""A gradient scaler for cells that have none: without one, fp16's speed and numbers would not be those of real use.

torch's own ``GradScaler`` does the work. It gets a stand-in for the optimizer, so that the cell can still
call ``optimizer.step()`` itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from jupyter_gpuperf.errors import GpuPerfError

INITIAL_SCALE: Final = 65_536.0
"""torch's default."""


class OptimizerStandIn:
    """Stand-in for an optimizer: gives the scaler the gradients, and records whether the optimizer may step."""

    def __init__(self, optimizer: Any) -> None:
        self.param_groups = optimizer.param_groups
        self.stepped = False

    def step(self) -> None:
        """Record that the optimizer may step. The scaler calls this only if all gradients are finite."""
        self.stepped = True


def _with_gradients(optimizer: Any) -> list[Any]:
    return [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]


class Scaling:
    """Scales losses, unscales gradients before each step, and makes steps with non-finite gradients do nothing.

    Parameters
    ----------
    early
        Optimizers whose gradients are unscaled right after the backward pass, because the cell clips them.
    initial_scale
        Initial scale. With a suitable one, no steps are skipped in search of it.
    """

    def __init__(
        self, torch: Any, device_type: str, early: Iterable[Any], initial_scale: float
    ) -> None:
        self._scaler = torch.amp.GradScaler(device_type, init_scale=initial_scale)
        self._early = early
        self._steppers: dict[int, OptimizerStandIn] = {}
        self._put_aside: dict[int, list[tuple[Any, Any]]] = {}
        self._unscaled: set[int] = set()
        self.steps_skipped = 0

    def scaled(self, tensors: Any) -> Any:
        """Return the scaled losses.

        Raises
        ------
        GpuPerfError
            ``clipped_and_accumulated``: the cell clips accumulated gradients.
        """
        if self._unscaled:
            message = "fp16 not measured: the cell clips accumulated gradients."
            hint = "Use your own GradScaler, and scaler.unscale_(optimizer) before clipping."
            raise GpuPerfError("clipped_and_accumulated", message, hint)
        return self._scaler.scale(tensors)

    def after_backward(self) -> None:
        """Unscale the gradients of optimizers in ``early``, because the cell clips them next."""
        for optimizer in filter(_with_gradients, self._early):
            self._scaler.unscale_(self._stepper(optimizer))
            self._unscaled.add(id(optimizer))

    def before_step(self, optimizer: Any) -> None:
        """Unscale the gradients. If one is not finite, set all aside: a step without gradients does nothing."""
        stepper = self._stepper(optimizer)
        with_gradients = _with_gradients(optimizer)
        if not with_gradients:
            return
        if id(optimizer) not in self._unscaled:
            self._scaler.unscale_(stepper)
        stepper.stepped = False
        self._scaler.step(stepper)
        if not stepper.stepped:
            self.steps_skipped += 1
            self._put_aside[id(optimizer)] = [(each, each.grad) for each in with_gradients]
            for each in with_gradients:
                each.grad = None

    def after_step(self, optimizer: Any) -> None:
        """Restore the gradients that were set aside, and update the scale."""
        for parameter, gradient in self._put_aside.pop(id(optimizer), []):
            parameter.grad = gradient
        self._unscaled.discard(id(optimizer))
        if self._steppers.pop(id(optimizer), None) is not None:
            self._scaler.update()

    @property
    def scale(self) -> float:
        """The current scale factor."""
        return float(self._scaler.get_scale())

    def _stepper(self, optimizer: Any) -> OptimizerStandIn:
        return self._steppers.setdefault(id(optimizer), OptimizerStandIn(optimizer))
