"""Measure the gain of a change to a training loop, on the loop itself."""

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

    Runs ``step`` alternately on the loader's batches and on a few batches that are already on the device. Afterwards
    the models, optimizers, tensors, arrays, variables and random states that the step reaches are restored bit for bit;
    files that it writes, and its printed output, are not.

    Parameters
    ----------
    step
        Takes a batch and does everything that the loop does with it.
    state
        Objects that the step changes but does not reach by name.
    steps
        The maximum number of steps per block, unless one round of the loader's workers needs more.
    limit_seconds
        Limit on the total waiting time: worker start-up, first steps, rounds, restoring. The measurement ends earlier
        when the interval is narrow. If three short rounds don't fit, they are measured anyway, and the result says so.

    Raises
    ------
    BadRequest
        ``no_state_found``, ``empty_loader``, ``no_torch``.
    GpuPerfError
        ``namespace_too_large``, ``snapshot_too_large``: too much state to save.
    """
    pace = {"state": tuple(state), "steps": steps, "limit_seconds": limit_seconds}
    return _measured(ab_test.headroom, loader, step, **pace)


def apply(
    change: Any,  # a mapping of settings, or a finding or tuning result that has one
    *,
    loader: Any,
    step: ab_test.Step,
    state: Sequence[Any] = (),
    steps: int = 20,
    limit_seconds: float = 30.0,
) -> SpeedupView:
    """Measure the gain of other DataLoader settings on the loop itself, alternating old and new settings.

    ``change`` contains any of ``num_workers``, ``prefetch_factor``, ``pin_memory`` and ``persistent_workers``, for
    example ``{"num_workers": 4}``, or is a finding whose ``settings`` do. The given loader is not changed; the changed
    one is the result's ``.loader``. Everything else is as in :func:`headroom`.

    Raises
    ------
    BadRequest
        ``unknown_setting``, ``not_a_plain_loader``, ``no_settings``, ``no_state_found``, ``no_torch``.
    """
    pace = {"state": tuple(state), "steps": steps, "limit_seconds": limit_seconds}
    return _measured(ab_test.measure_change, loader, step, changed_settings(change), **pace)


def changed_settings(change: Any) -> Mapping[str, Any]:
    """Return the settings in a change: the mapping itself, a finding's settings, or a tuning's recommendation.

    Raises
    ------
    BadRequest
        ``no_settings``: the change contains none.
    """
    recommended = getattr(change, "recommended", None)
    if isinstance(recommended, Mapping):
        # Leave out the loader's order and its workers' start method: apply changes neither.
        change = {name: recommended[name] for name in SETTINGS if name in recommended}
    inner = getattr(change, "settings", None)
    if inner is None and isinstance(change, Mapping):
        inner = change.get("settings", change)
    if not isinstance(inner, Mapping) or not inner:
        hint = 'Pass them: gpuperf.apply({"num_workers": 4}, loader=…, step=…).'
        raise BadRequest("no_settings", "The change contains no DataLoader settings.", hint=hint)
    return inner


def _measured(
    measure: Callable[..., ab_test.ABTestResult], *given: Any, **pace: Any
) -> SpeedupView:
    torch = sys.modules.get("torch")
    if torch is None:
        raise BadRequest("no_torch", "torch is not imported.", "Import it first.")
    with session().watching.silent():
        return SpeedupView(measure(torch, *given, **pace))
