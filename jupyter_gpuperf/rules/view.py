"""What a rule sees: one device, the part of its readings to judge, and what stands around it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from jupyter_gpuperf.rules.rule_input import Device, RuleInput, Series
from jupyter_gpuperf.rules.straggler import Straggler, main_loop, straggler_of
from jupyter_gpuperf.rules.workload import Workload, workload_of
from jupyter_gpuperf.schemas.training import LoaderSteps


@dataclass(frozen=True, kw_only=True)
class View:
    """One device over the time that a rule looks at.

    Parameters
    ----------
    everything
        All that is known, of all devices.
    device
        The one that is judged; for a rule of the machine, one that stands for it.
    series, host_series
        The part that the rule looks at: the steady state, or all of it.
    """

    everything: RuleInput
    device: Device
    series: Series
    host_series: Series

    @cached_property
    def work(self) -> Workload:
        """That part in figures."""
        return workload_of(self.series, self.host_series)

    @cached_property
    def loader(self) -> LoaderSteps | None:
        """The watched loader whose steps take most of this device's time; training goes before evaluation."""
        alone = len(self.everything.devices) == 1
        return main_loop(
            each
            for each in self.everything.steps
            if each.device_uuid == self.device.uuid or (each.device_uuid is None and alone)
        )

    @property
    def peers(self) -> tuple[Device, ...]:
        """The other devices."""
        return tuple(each for each in self.everything.devices if each.uuid != self.device.uuid)

    @cached_property
    def straggler(self) -> Straggler | None:
        """Who is late in the training that this device takes part in with others."""
        start, end = self.series.times_seconds[0], self.series.times_seconds[-1]
        return straggler_of(self.device, self.everything, start, end)

    @property
    def is_held_up(self) -> bool:
        """Whether it waits for another rank: what it does meanwhile tells nothing of its own work."""
        return self.straggler is not None and self.straggler.holds_up(self.device.uuid)
