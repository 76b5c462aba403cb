"""What a rule is, what it sees and finds, and how long it holds off."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

from jupyter_gpuperf.rules.busy_spans import UTILIZATION
from jupyter_gpuperf.rules.rule_input import Device, RuleInput, Series
from jupyter_gpuperf.rules.straggler import Straggler, main_loop, straggler_of
from jupyter_gpuperf.rules.workload import Workload, workload_of
from jupyter_gpuperf.schemas.training import LoaderSteps

Severity = Literal["info", "warning", "critical"]
"""Healthy means nothing above ``info``."""

Confidence = Literal["suspected", "confirmed"]
"""``suspected`` from the driver's readings alone; ``confirmed`` by the step clock in the loop itself, or where
the readings are the thing itself, as with memory."""

SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")


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
        waiting = self.straggler.waiting if self.straggler else ()
        return any(each.device.uuid == self.device.uuid for each in waiting)


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What a rule found: something that fails, or a reason why the work is slow.

    A check leaves out what the engine knows: the code, the device, and with :attr:`Rule.is_of_loop` whose loop it
    is and what it costs per epoch.

    Parameters
    ----------
    summary
        A sentence with the figures that matter.
    evidence
        Named values behind it, each wearing its unit in its name; ``None`` is told as ``unknown``.
    lost_ratio
        The share of time that it costs; ``None`` where that can't be told.
    advice
        What to do about it.
    refuted_by
        What would show that it is wrong.
    change
        The change as code for the loader at hand; ``None`` where nothing is known of it.
    lost_seconds_per_epoch
        The same per epoch, where the step clock knows an epoch's length.
    pid, notebook
        Whose it is, where that is known.
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
    """How long something must be found before it is told, and be missing before it is taken back.

    Parameters
    ----------
    until_working_seconds
        The second where the device works meanwhile: there was something to judge, and it was not found.
    critical_at_once
        Whether what is critical is told when it is first found.
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
"""Two looks that agree, about two seconds apart; an epoch's end is no cure."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One trouble and how to tell it.

    Parameters
    ----------
    code
        What it is called on the wire; a part of the contract.
    needs
        Metrics of which each must have a value at least once; else nothing can be said. Most rules need to know
        whether the device works.
    reads
        Other metrics that it looks at, where there are any.
    check
        Pure: what is known of one device in, a finding or ``None`` out.
    notify
        An alert: told by the tick that saw it, with a notification. All others are findings: patterns over time,
        which are shown and notify nobody.
    holds_off
        How long it holds off before it is told, and taken back.
    scope
        ``host``: of the machine; alerts alone.
    looks_at
        Of a finding. ``steady``: the steady state of the work, without its start and end; ``whole``: all readings.
    horizon
        Of a finding: how much of the past it needs when it looks live. ``short`` notices a change within seconds;
        what comes rarely, as a checkpoint, needs the ``long`` one.
    alert
        Of a finding: the alert that tells the same trouble at once.
    is_of_loop
        Whether it is about the watched loop: then it names its notebook, and what is lost per epoch.
    title, meaning
        For the documentation of a finding: a few words, and what it is.
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


def alert(
    code: str,
    check: Callable[[View], Finding | None],
    *,
    needs: tuple[str, ...] = (),
    reads: tuple[str, ...] = (),
    holds_off: HoldOff = AT_ONCE,
    scope: Literal["device", "host"] = "device",
) -> Rule:
    """Return a rule that is an alert; what it needs and reads is enough for it to look."""
    return Rule(
        code=code,
        check=check,
        needs=needs,
        reads=reads,
        notify=True,
        holds_off=holds_off,
        scope=scope,
    )
