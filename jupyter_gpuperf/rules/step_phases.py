"""Bound how long a device is idle in each phase of a step, by what the step clock measured of the phases.

A device that has reached a phase runs out of work there only while the host is still in the same phase. So it is idle in
it no longer than the host is, and no longer than it takes itself.
"""

from __future__ import annotations

from typing import NamedTuple

from jupyter_gpuperf.schemas.phases import Phase
from jupyter_gpuperf.schemas.training import LoopSteps


class PhaseShare(NamedTuple):
    """Shares of a step: of the host's time, and of the device's, idle time included; ``None`` without a GPU."""

    host_ratio: float
    gpu_ratio: float | None

    @property
    def most_idle_ratio(self) -> float:
        """The share of a step in which the device is idle in this phase, at most."""
        return self.host_ratio if self.gpu_ratio is None else min(self.host_ratio, self.gpu_ratio)


def shares_of(loop: LoopSteps | None) -> dict[Phase, PhaseShare]:
    """Return the share of each phase that is known; empty if no step was followed."""
    phases = (loop.phases if loop else None) or {}
    known = {
        name: (each.host_seconds, each.gpu_seconds)
        for name, each in phases.items()
        if each.host_seconds is not None
    }
    whole = sum(host for host, _ in known.values())
    if not whole:
        return {}
    return {
        name: PhaseShare(host / whole, None if gpu is None else gpu / whole)
        for name, (host, gpu) in known.items()
    }
