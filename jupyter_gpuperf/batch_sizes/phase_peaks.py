"""The peak memory of a step's phases, separated by torch's hooks of optimizers. Nothing here waits for the device."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from jupyter_gpuperf.batch_sizes.device_meter import HostMeter
from jupyter_gpuperf.state.interrupts import run_afterwards


class PhasePeaks:
    """The peaks of a step's phases: while an optimizer works, and the rest.

    Attributes
    ----------
    updates
        How often an optimizer has worked.
    """

    def __init__(self, meter: HostMeter) -> None:
        self._meter = meter
        meter.begin()
        self.updates = 0
        self.allocated_bytes: dict[str, float] = {}
        self.reserved_bytes: float | None = None
        self.grown_bytes = 0.0
        """By how much the allocated memory grew in the last step."""
        self._held_bytes: float | None = None
        self._depth = (
            0  # torch calls the hooks of an optimizer that calls its base class's step twice
        )

    def cut(self, phase: str) -> None:
        """End a phase: everything since the last one belongs to it."""
        peak = self._meter.peak()
        if peak is not None:
            self.allocated_bytes[phase] = max(self.allocated_bytes.get(phase, 0.0), peak.allocated)
            self.reserved_bytes = max(self.reserved_bytes or 0.0, peak.reserved)
            self._meter.begin()

    def end_step(self) -> None:
        """End a step, and compare what stays allocated with what stayed after the one before."""
        self.cut("step")
        held = self._meter.held_bytes()
        if held is not None and self._held_bytes is not None:
            self.grown_bytes = held - self._held_bytes
        self._held_bytes = held

    def begin_update(self) -> None:
        """Begin the work of an optimizer."""
        if not self._depth:
            self.cut("step")
        self._depth += 1

    def end_update(self) -> None:
        """End the work of an optimizer."""
        self._depth -= 1
        if not self._depth:
            self.updates += 1
            self.cut("optimizer")


class OptimizerUpdates:
    """Watches the work of optimizers.

    Attributes
    ----------
    current
        The phases that are measured now; ``None`` for none.
    """

    current: PhasePeaks | None = None

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Watch all of torch's optimizers during the body."""
        from torch.optim.optimizer import (
            register_optimizer_step_post_hook,
            register_optimizer_step_pre_hook,
        )

        handles = [
            register_optimizer_step_pre_hook(lambda *_: self._begin()),
            register_optimizer_step_post_hook(lambda *_: self._end()),
        ]
        with run_afterwards(lambda: [each.remove() for each in handles]):
            yield

    def _begin(self) -> None:
        if self.current is not None:
            self.current.begin_update()

    def _end(self) -> None:
        if self.current is not None:
            self.current.end_update()
