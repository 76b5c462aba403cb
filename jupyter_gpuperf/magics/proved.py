"""Shows what a change of the loop gains, measured."""

from __future__ import annotations

import html
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.magics import style
from jupyter_gpuperf.magics.watching_here import session
from jupyter_gpuperf.magics.words import interval_words, quantity_words
from jupyter_gpuperf.schemas import Interval
from jupyter_gpuperf.training import proof
from jupyter_gpuperf.training.other_loader import SETTINGS


class Proved:
    """A loop before and after a change.

    Attributes
    ----------
    data
        All figures, in seconds a step.
    loader
        The changed loader, to go on with; ``None`` for headspace.
    """

    def __init__(self, data: proof.Proof) -> None:
        self.data = data
        self.loader = data.loader

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as plain data."""
        data = self.data
        return {
            "what": data.what,
            "before_step_seconds": data.before,
            "after_step_seconds": data.after,
            "speedup": data.speedup,
            "samples": data.samples,
            "steps_per_block": data.steps_per_block,
            "restored": data.restored,
            "cost_seconds": data.cost_seconds,
            "warnings": [data.doubt] if data.doubt else [],
        }

    def lines(self) -> list[str]:
        """Return the result in words: the number first, then what it means."""
        data, steps = self.data, self.data.steps_per_block
        times = " → ".join(_words(each) for each in (data.before, data.after))
        value, span = interval_words(Interval(**data.speedup), "")
        lines = [
            f"{value}× {span}  with {data.what}: {self.verdict()}",
            f"a step {times}",
            f"{len(data.samples['before'])} rounds of {steps['before']} and {steps['after']} steps, "
            + quantity_words(data.cost_seconds, "seconds"),
            f"put back to the bit: {', '.join(data.restored)}",
        ]
        return [*lines, data.doubt] if data.doubt else lines

    def verdict(self) -> str:
        """Return what the interval allows to say."""
        if self.data.speedup["low"] > 1:
            return "faster here"
        if self.data.speedup["high"] < 1:
            return "slower here"
        return "no difference that these steps show"

    def __repr__(self) -> str:
        return "\n".join(self.lines())

    def _repr_html_(self) -> str:
        first, *rest = self.lines()
        quiet = "".join(f"<div {style.QUIET}>{html.escape(each)}</div>" for each in rest)
        return f"<div {style.BOX}><strong>{html.escape(first)}</strong>{quiet}</div>"


def headspace(
    loader: Any,
    step: proof.Step,
    *,
    state: Sequence[Any] = (),
    steps: int = 20,
    limit_seconds: float = 30.0,
) -> Proved:
    """Measure how fast the loop would be if data were free."""
    torch = _torch()
    with session().watching.silent():
        found = proof.headspace(
            torch, loader, step, state=tuple(state), steps=steps, limit_seconds=limit_seconds
        )
    return Proved(found)


def apply(
    change: Any,  # a mapping of settings, or a finding or a tuning that has one
    *,
    loader: Any,
    step: proof.Step,
    state: Sequence[Any] = (),
    steps: int = 20,
    limit_seconds: float = 30.0,
) -> Proved:
    """Try other settings of the loader on the loop itself, in turn with those that it has."""
    torch = _torch()
    with session().watching.silent():
        found = proof.changed(
            torch,
            loader,
            step,
            settings_of(change),
            state=tuple(state),
            steps=steps,
            limit_seconds=limit_seconds,
        )
    return Proved(found)


def settings_of(change: Any) -> Mapping[str, Any]:
    """Return the settings that a change consists of: its own, those of a finding, or what a tuning recommends.

    Raises
    ------
    BadRequest
        ``no_settings``: it names none.
    """
    recommended = getattr(change, "recommended", None)
    if isinstance(
        recommended, Mapping
    ):  # of the loader's order and its workers' start, apply changes nothing
        change = {name: recommended[name] for name in SETTINGS if name in recommended}
    inner = getattr(change, "settings", None)
    if inner is None and isinstance(change, Mapping):
        inner = change.get("settings", change)
    if not isinstance(inner, Mapping) or not inner:
        raise BadRequest(
            "no_settings",
            "This names no setting of a DataLoader to try.",
            'Give them: gpuperf.apply({"num_workers": 4}, loader=…, step=…).',
        )
    return inner


def _torch() -> Any:
    torch = sys.modules.get("torch")
    if torch is None:
        raise BadRequest("no_torch", "torch is not imported, so there is no loop.", "Import it.")
    return torch


def _words(interval: Mapping[str, float]) -> str:
    return " ".join(interval_words(Interval(**interval), "seconds"))
