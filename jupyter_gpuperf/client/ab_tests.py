"""What a change of the training loop gains, measured on the loop itself."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from jupyter_gpuperf.ab_tests import ab_test
from jupyter_gpuperf.client.watch_session import session
from jupyter_gpuperf.display.speedup_view import Proved
from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.training.other_loader import SETTINGS


def headspace(
    loader: Any,
    step: ab_test.Step,
    *,
    state: Sequence[Any] = (),
    steps: int = 20,
    limit_seconds: float = 30.0,
) -> Proved:
    """Measure how fast the loop would be if data were free."""
    torch = _torch()
    with session().watching.silent():
        found = ab_test.headspace(
            torch, loader, step, state=tuple(state), steps=steps, limit_seconds=limit_seconds
        )
    return Proved(found)


def apply(
    change: Any,  # a mapping of settings, or a finding or a tuning that has one
    *,
    loader: Any,
    step: ab_test.Step,
    state: Sequence[Any] = (),
    steps: int = 20,
    limit_seconds: float = 30.0,
) -> Proved:
    """Try other settings of the loader on the loop itself, in turn with those that it has."""
    torch = _torch()
    with session().watching.silent():
        found = ab_test.changed(
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
