"""Define a rule, the view it examines, the finding it returns, and the delays before findings appear and disappear."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

from jupyter_gpuperf.rules.busy_spans import UTILIZATION
from jupyter_gpuperf.rules.rule_input import Device, ReadingSeries, RuleInput
from jupyter_gpuperf.rules.straggler import Straggler, main_loop, straggler_of
from jupyter_gpuperf.rules.workload import Workload, is_power_averaged, workload_of
from jupyter_gpuperf.schemas.training import LoopSteps

Severity = Literal["info", "warning", "critical"]
"""Severity of a finding. A device without findings above ``info`` is healthy."""

Confidence = Literal["suspected", "confirmed"]
"""``suspected``: inferred from the driver's readings alone. ``confirmed``: measured by the step clock in the loop
itself, or directly by the readings, as with memory."""

SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")


@dataclass(frozen=True, kw_only=True)
class View:
    """One device over the time that a rule examines.

    Parameters
    ----------
    rule_input
        The whole input, including all other devices.
    device
        The device to judge; a placeholder for rules about the host.
    series, host_series
        The readings that the rule examines: those of the steady state, or all.
    """

    rule_input: RuleInput
    device: Device
    series: ReadingSeries
    host_series: ReadingSeries

    @cached_property
    def work(self) -> Workload:
        """The workload in these readings."""
        return workload_of(
            self.series,
            self.host_series,
            is_power_averaged=is_power_averaged(self.device.compute_capability),
        )

    @cached_property
    def loop(self) -> LoopSteps | None:
        """The watched loop whose steps take most of this device's time; ``None`` if no loop is watched.

        Training takes priority over evaluation.
        """
        return main_loop(x for x in self.rule_input.steps if self.is_here(x.device_uuid))

    @property
    def loader(self) -> LoopSteps | None:
        """The watched loop if it draws its batches from a watched loader, otherwise ``None``."""
        return self.loop if self.loop is not None and self.loop.bounded_by == "loader" else None

    def is_here(self, uuid: str | None) -> bool:
        """Return whether this is the device with this UUID, or the only one if the UUID is unknown."""
        alone = len(self.rule_input.devices) == 1
        return uuid == self.device.uuid or (uuid is None and alone)

    @property
    def peers(self) -> tuple[Device, ...]:
        """All other devices."""
        return tuple(each for each in self.rule_input.devices if each.uuid != self.device.uuid)

    @cached_property
    def straggler(self) -> Straggler | None:
        """The straggler in the distributed training that this device takes part in; ``None`` if there is none."""
        start, end = self.series.times_seconds[0], self.series.times_seconds[-1]
        return straggler_of(self.device, self.rule_input, start, end)

    @property
    def is_held_up(self) -> bool:
        """Whether the device waits for another rank. If so, its readings say nothing about its own work."""
        waiting = self.straggler.waiting if self.straggler else ()
        return any(each.device.uuid == self.device.uuid for each in waiting)


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A problem that a rule found: a failure, or a reason why the work is slow.

    A check leaves out the fields that the engine fills in: the code and the device, and with :attr:`Rule.is_of_loop`
    also the loop's process and notebook and the cost per epoch.

    Parameters
    ----------
    summary
        One sentence with the most important figures.
    evidence
        Values that support the finding. Each name includes the unit. ``None`` is reported as ``unknown``.
    lost_ratio
        The share of time that is lost; ``None`` if it is unknown.
    advice
        How to fix the problem.
    refuted_by
        How to check the finding: the result that would show that it is wrong.
    change
        The suggested change as code; ``None`` if there is none.
    lost_seconds_per_epoch
        The time lost per epoch; ``None`` if the length of an epoch is unknown.
    code
        The rule's code; filled in by the engine.
    device
        The device's UUID, filled in by the engine; ``None`` for the host.
    pid, notebook
        The process and notebook that cause the problem; ``None`` if they are unknown.
    """

    severity: Severity
    summary: str
    evidence: Mapping[str, float | str | None]
    advice: str
    confidence: Confidence = "confirmed"
    refuted_by: str = ""
    lost_ratio: float | None = None
    lost_seconds_per_epoch: float | None = None
    change: str | None = None
    code: str = ""
    device: str | None = None
    pid: int | None = None
    notebook: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class HoldOff:
    """How long a problem must persist before it is reported, and be absent before it is withdrawn.

    Parameters
    ----------
    after_seconds
        Report the problem when it has been found for this long.
    until_seconds
        Withdraw the problem when it has been absent for this long.
    until_working_seconds
        Replaces ``until_seconds`` while the device is busy: only then does absence show that the problem is gone.
    critical_at_once
        Whether a critical finding is reported as soon as it is found.
    """

    after_seconds: float = 0.0
    until_seconds: float = 0.0
    until_working_seconds: float | None = None
    critical_at_once: bool = False


AT_ONCE: Final = HoldOff()
FIVE_SECONDS: Final = HoldOff(after_seconds=5.0, until_seconds=15.0)
TWO_CHECKS: Final = HoldOff(
    after_seconds=1.5, until_seconds=15.0, until_working_seconds=5.0, critical_at_once=True
)
"""Report after two consecutive checks agree; they are about two seconds apart. The end of an epoch does not withdraw a
finding."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One problem and how to detect it.

    Parameters
    ----------
    code
        Identifies the rule in the REST API, so it must not change.
    needs
        Metrics that must each have at least one value; otherwise the rule does not run. Most rules need the
        utilization, which shows whether the device is busy.
    reads
        Other metrics that the rule uses if they are available.
    decided_by
        Metrics that tell this cause from others. On a device without one of them, the rule finds nothing, or no more
        than a note, and the diagnosis lists it as undecided.
    check
        A pure function that takes the view of one device and returns a finding or ``None``.
    notify
        Whether the rule is an alert. The tick that detects an alert reports it, with a notification. The other rules
        detect patterns over time; their findings are shown without a notification.
    holds_off
        How long a problem must persist before it is reported, and be absent before it is withdrawn.
    scope
        ``host`` for a rule about the machine instead of a device. Only alerts can have this scope.
    looks_at
        For findings. ``steady``: the steady state of the work, without its start and end; ``whole``: all readings.
    horizon
        For findings: how much of the past a live check needs. ``short`` notices a change within seconds; rare events
        such as checkpoints need ``long``.
    alert
        For findings: the code of the alert that reports the same problem immediately.
    is_of_loop
        Whether the rule is about the watched loop. Its finding then includes the notebook and the time lost per epoch.
    title, meaning
        A short title and an explanation, for the documentation of a finding.
    """

    code: str
    check: Callable[[View], Finding | None]
    needs: tuple[str, ...] = (UTILIZATION,)
    reads: tuple[str, ...] = ()
    decided_by: tuple[str, ...] = ()
    notify: bool = False
    holds_off: HoldOff = TWO_CHECKS
    scope: Literal["device", "host"] = "device"
    looks_at: Literal["steady", "whole"] = "steady"
    horizon: Literal["short", "long"] = "short"
    alert: str | None = None
    is_of_loop: bool = False
    title: str = ""
    meaning: str = ""


def alert(code: str, check: Callable[[View], Finding | None], **options: Any) -> Rule:
    """Return a rule that is an alert. It needs and reads only the metrics given in ``options``."""
    defaults: dict[str, Any] = {"needs": (), "holds_off": AT_ONCE}
    return Rule(code=code, check=check, notify=True, **{**defaults, **options})
