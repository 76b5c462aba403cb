"""What a change of the training loop gains, measured on the loop itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jupyter_gpuperf.ab_tests import ab_test
from jupyter_gpuperf.client.watch_session import session
from jupyter_gpuperf.display.speedup_view import SpeedupView
from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.loaders.setting import SETTINGS


def headroom(
    loader: Any,
    step: ab_test.Step,
    *,
    state: Sequence[Any] = (),
    steps: int = 20,
    limit_seconds: float = 30.0,
) -> SpeedupView:
    """Measure how fast a training loop would be if data were free.

    Runs ``step`` on the loader's batches and on a few batches that lie on the device already, in turn and back. Models,
    optimizers, tensors, arrays, variables and random states that the step reaches are put back to the bit afterwards;
    files that it writes, and what it prints, are not.

    Parameters
    ----------
    step
        Takes a batch and does all that the loop does with it.
    state
        What it changes beside what it reaches by name.
    steps
        In each block at most, where a round of the loader's workers is not more.
    limit_seconds
        For all that is waited for: workers that start, first steps, rounds, putting back. It ends earlier when the
        interval is narrow. Where three short rounds don't fit, they are measured all the same, and the result says so.

    Raises
    ------
    BadRequest
        ``no_state_found``, ``empty_loader``, ``no_torch``.
    GpuPerfError
        ``namespace_too_large``, ``snapshot_too_large``: too much to keep.
    """
    pace = {"state": tuple(state), "steps": steps, "limit_seconds": limit_seconds}
    return _measured(ab_test.headroom, loader, step, **pace)


def apply(
    change: Any,  # a mapping of settings, or a finding or a tuning that has one
    *,
    loader: Any,
    step: ab_test.Step,
    state: Sequence[Any] = (),
    steps: int = 20,
    limit_seconds: float = 30.0,
) -> SpeedupView:
    """Try other settings of a DataLoader on the loop itself, before and after in turn, and return the measured gain.

    ``change`` is ``{"num_workers": …, "prefetch_factor": …, "pin_memory": …, "persistent_workers": …}``, some of them, or a
    finding whose ``settings`` are these. The loader given stays as it is; the changed one is the result's ``.loader``.
    Everything else as with :func:`headroom`.

    Raises
    ------
    BadRequest
        ``unknown_setting``, ``not_a_plain_loader``, ``no_settings``, ``no_state_found``, ``no_torch``.
    """
    pace = {"state": tuple(state), "steps": steps, "limit_seconds": limit_seconds}
    return _measured(ab_test.measure_change, loader, step, settings_of(change), **pace)


def settings_of(change: Any) -> Mapping[str, Any]:
    """Return the settings that a change consists of: its own, those of a finding, or what a tuning recommends.

    Raises
    ------
    BadRequest
        ``no_settings``: it names none.
    """
    recommended = getattr(change, "recommended", None)
    if isinstance(recommended, Mapping):
        # Not the loader's order, nor how its workers start: apply changes neither.
        change = {name: recommended[name] for name in SETTINGS if name in recommended}
    inner = getattr(change, "settings", None)
    if inner is None and isinstance(change, Mapping):
        inner = change.get("settings", change)
    if not isinstance(inner, Mapping) or not inner:
        hint = 'Give them: gpuperf.apply({"num_workers": 4}, loader=…, step=…).'
        raise BadRequest("no_settings", "This names no setting of a DataLoader to try.", hint)
    return inner


def _measured(
    measure: Callable[..., ab_test.ABTestResult], *given: Any, **pace: Any
) -> SpeedupView:
    torch = sys.modules.get("torch")
    if torch is None:
        raise BadRequest("no_torch", "torch is not imported, so there is no loop.", "Import it.")
    with session().watching.silent():
        return SpeedupView(measure(torch, *given, **pace))
