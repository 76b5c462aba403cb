"""Find out how long a device is idle for its host, for other reasons than data and copies, and in which phases."""

from __future__ import annotations

from typing import NamedTuple

from jupyter_gpuperf.rules.own_code import idle_own_code
from jupyter_gpuperf.rules.rule import View
from jupyter_gpuperf.rules.step_phases import PhaseShare, shares_of
from jupyter_gpuperf.rules.transfer_bound import copy_wait
from jupyter_gpuperf.schemas.phases import Phase
from jupyter_gpuperf.schemas.training import LoopSteps


class HostIdle(NamedTuple):
    """A device's idle time that a loop's data and copies don't explain.

    Attributes
    ----------
    ratio
        Its share of the time.
    shares
        The phases in which it may be.
    """

    ratio: float
    shares: dict[Phase, PhaseShare]

    @property
    def main_phase(self) -> Phase | None:
        """The phase in which the device may be idle for longest; ``None`` if no phases are known."""
        shares = self.shares
        return max(shares, key=lambda name: shares[name].most_idle_ratio, default=None)

    def least_in(self, phase: Phase) -> float:
        """Return the share of the time for which it must be idle in this phase, since it can't be in the others."""
        others = (each.most_idle_ratio for name, each in self.shares.items() if name != phase)
        return self.ratio - sum(others)


def host_idle(view: View, loop: LoopSteps) -> HostIdle:
    """Return how long the device is idle in this loop for other reasons than data and copies."""
    own, wait = idle_own_code(view), copy_wait(view)
    ratio = loop.idle_for_host_ratio
    if ratio is None:
        ratio = max(0.0, view.work.idle_ratio - (loop.wait_ratio or 0.0))
    # What is left once the rest is known has the error of the busy share.
    ratio -= view.work.busy_error_ratio
    ratio -= (own.idle_ratio if own else 0.0) + (wait.idle_ratio if wait else 0.0)
    explained = {"data", "copy"} if wait else {"data"}
    shares = {name: each for name, each in shares_of(loop).items() if name not in explained}
    return HostIdle(ratio, shares)
