"""What a rule is, what it sees and finds, and how long it holds off."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

from jupyter_gpuperf.rules.busy_spans import UTILIZATION
from jupyter_gpuperf.rules.rule_input import Device, ReadingSeries, RuleInput
from jupyter_gpuperf.rules.straggler import Straggler, main_loop, straggler_of
from jupyter_gpuperf.rules.workload import Workload, workload_of
from jupyter_gpuperf.schemas.training import LoaderSteps

Severity = Literal["info", "warning", "critical"]
"""A device without findings above ``info`` is healthy."""

Confidence = Literal["suspected", "confirmed"]
"""``suspected``: from the driver's readings alone. ``confirmed``: by the step clock in the loop itself, or where the
readings measure the problem directly, as with memory."""

SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")


@dataclass(frozen=True, kw_only=True)
class View:
    """One device over the time that a rule examines.

    Parameters
    ----------
    everything
        Everything that is known, about all devices.
    device
        The device to judge; for a rule about the host, a stand-in.
    series, host_series
        The part that the rule looks at: the steady state, or all readings.
    """

    rule_input: RuleInput
    device: Device
    series: ReadingSeries
    host_series: ReadingSeries

    @cached_property
    def work(self) -> Workload:
        """Figures of this part."""
        return workload_of(self.series, self.host_series)

    @cached_property
    def loader(self) -> LoaderSteps | None:
        """The watched loader whose steps take most of this device's time; training takes priority over evaluation."""
        alone = len(self.rule_input.devices) == 1
        return main_loop(
            each
            for each in self.rule_input.steps
            if each.device_uuid == self.device.uuid or (each.device_uuid is None and alone)
        )

    @property
    def peers(self) -> tuple[Device, ...]:
        """The other devices."""
        return tuple(each for each in self.rule_input.devices if each.uuid != self.device.uuid)

    @cached_property
    def straggler(self) -> Straggler | None:
        """The straggler in the training that this device shares with others; ``None`` if there is none."""
        start, end = self.series.times_seconds[0], self.series.times_seconds[-1]
        return straggler_of(self.device, self.rule_input, start, end)

    @property
    def is_held_up(self) -> bool:
        """Whether the device waits for another rank: its readings then say nothing about its own work."""
        waiting = self.straggler.waiting if self.straggler else ()
        return any(each.device.uuid == self.device.uuid for each in waiting)


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What a rule found: something that fails, or a reason why the work is slow.

    A check leaves out what the engine knows: the code and the device, and with :attr:`Rule.is_of_loop` also the loop's
    process and notebook and the cost per epoch.

    Parameters
    ----------
    summary
        A sentence with the figures that matter.
    evidence
        Named values behind the finding. Each name includes the unit. ``None`` is reported as ``unknown``.
    lost_ratio
        The share of time that is lost; ``None`` where it is unknown.
    advice
        What to do about it.
    refuted_by
        How to check it: what would show that the finding is wrong.
    change
        The change as code for the loader in question; ``None`` where nothing is known about it.
    lost_seconds_per_epoch
        The time lost per epoch, where the step clock knows an epoch's length.
    pid, notebook
        The process and notebook that cause it, where they are known.
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
    """How long something must be found before it is reported, and be absent before it is withdrawn.

    Parameters
    ----------
    until_working_seconds
        Replaces ``until_seconds`` while the device works: there was something to judge, and nothing was found.
    critical_at_once
        Whether a critical finding is reported when it is first found.
    """

    after_seconds: float = 0.0
    until_seconds: float = 0.0
    until_working_seconds: float | None = None
    critical_at_once: bool = False


AT_ONCE: Final = HoldOff()
A_WHILE: Final = HoldOff(after_seconds=5.0, until_seconds=15.0)
TWO_LOOKS: Final = HoldOff(
    after_seconds=1.5, until_seconds=15.0, until_working_seconds=5.0, critical_at_once=True
)
"""Two looks that agree, about two seconds apart; the end of an epoch does not withdraw a finding."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One problem and how to detect it.

    Parameters
    ----------
    code
        Its name on the wire; part of the contract.
    needs
        Metrics that must each have at least one value; otherwise the rule does not run. Most rules need to know
        whether the device works.
    reads
        Other metrics that the rule uses where they are available.
    check
        A pure function: takes what is known about one device, returns a finding or ``None``.
    notify
        Whether it is an alert: reported by the tick that saw it, with a notification. All others are findings:
        patterns over time, which are shown without a notification.
    holds_off
        How long the rule waits before it reports a finding, and before it withdraws one.
    scope
        ``host``: about the machine. Only for alerts.
    looks_at
        For findings. ``steady``: the steady state of the work, without its start and end; ``whole``: all readings.
    horizon
        For findings: how much of the past a live check needs. ``short`` notices a change within seconds; rare events
        such as checkpoints need ``long``.
    alert
        For findings: the code of the alert that reports the same problem at once.
    is_of_loop
        Whether it is about the watched loop: the finding then names the notebook and the time lost per epoch.
    title, meaning
        For the documentation of a finding: a few words, and an explanation.
    """

    code: str
    check: Callable[[View], Finding | None]
    needs: tuple[str, ...] = (UTILIZATION,)
    reads: tuple[str, ...] = ()
    notify: bool = False
    holds_off: HoldOff = TWO_LOOKS
    scope: Literal["device", "host"] = "device"
    looks_at: Literal["steady", "whole"] = "steady"
    horizon: Literal["short", "long"] = "short"
    alert: str | None = None
    is_of_loop: bool = False
    title: str = ""
    meaning: str = ""


def alert(code: str, check: Callable[[View], Finding | None], **options: Any) -> Rule:
    """Return a rule that is an alert. It needs and reads only the given metrics."""
    defaults: dict[str, Any] = {"needs": (), "holds_off": AT_ONCE}
    return Rule(code=code, check=check, notify=True, **{**defaults, **options})
