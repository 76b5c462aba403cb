"""What a rule is, what it finds, and how long it holds off."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from jupyter_gpuperf.rules.view import View

Severity = Literal["info", "warning", "critical"]
"""Healthy means nothing above ``info``."""

Confidence = Literal["suspected", "confirmed"]
"""``suspected`` from the driver's readings alone; ``confirmed`` by the step clock in the loop itself, or where
the readings are the thing itself, as with memory."""

SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")


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

    after_seconds: float
    until_seconds: float
    until_working_seconds: float | None = None
    critical_at_once: bool = False


AT_ONCE: Final = HoldOff(after_seconds=0.0, until_seconds=0.0)
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
        Metrics of which each must have a value at least once; else nothing can be said.
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
    needs: tuple[str, ...]
    check: Callable[[View], Finding | None]
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
