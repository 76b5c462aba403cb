"""What a rule is, what it finds, and how its thresholds are justified."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from jupyter_gpuperf.diagnose.view import View

Severity = Literal["info", "warning", "critical"]
"""Healthy means nothing above ``info``."""

Confidence = Literal["suspected", "confirmed"]
"""``suspected`` from the driver's readings alone; ``confirmed`` by the step clock in the loop itself, or where
the readings are the thing itself, as with memory."""

SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")


class Threshold(float):
    """A number that a rule compares with, and why it is this one.

    Parameters
    ----------
    value
        The number; its unit is in the constant's name.
    reason
        The physics or the measurement that it follows from.
    margin
        How far measured cases on both sides are from it.
    """

    reason: str
    margin: str

    def __new__(cls, value: float, *, reason: str, margin: str) -> Threshold:  # noqa: PYI034
        """Make the number, and put the words beside it."""
        number = super().__new__(cls, value)
        number.reason, number.margin = reason, margin
        return number


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A reason why the work is slow, or about to fail.

    Parameters
    ----------
    summary
        A sentence with the figures that matter.
    evidence
        Named values behind it, each wearing its unit in its name.
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

    code: str
    severity: Severity
    confidence: Confidence
    summary: str
    evidence: Mapping[str, float | str]
    advice: str
    refuted_by: str
    lost_ratio: float | None = None
    lost_seconds_per_epoch: float | None = None
    change: str | None = None
    device: str | None = None
    pid: int | None = None
    notebook: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One symptom and how to tell it.

    Parameters
    ----------
    code
        What its findings are called; a part of the contract.
    title, meaning
        For the documentation: a few words, and what it is.
    needs
        Metrics of the device of which each must have a value at least once; else nothing can be said.
    check
        Pure: what is known of one device in, a finding or ``None`` out. Never raises.
    looks_at
        ``steady``: the steady state of the work, without its start and end; ``whole``: all readings.
    horizon
        How much of the past it needs when it looks live. ``short`` notices a change within seconds;
        what comes rarely, as a checkpoint, needs the ``long`` one.
    """

    code: str
    title: str
    meaning: str
    needs: tuple[str, ...]
    check: Callable[[View], Finding | None]
    looks_at: Literal["steady", "whole"] = "steady"
    horizon: Literal["short", "long"] = "short"
