"""Measure how much a change speeds up a training loop, by running the loop itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jupyter_gpuperf.ab_tests import ab_test
from jupyter_gpuperf.client.failures import shortened_errors
from jupyter_gpuperf.client.watch_session import session
from jupyter_gpuperf.display.speedup_view import SpeedupView
from jupyter_gpuperf.errors import BadRequest, require_package
from jupyter_gpuperf.loaders.setting import SETTINGS


@shortened_errors()
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
        Objects that the step changes, but that can't be found through its variables.
    steps
        The maximum number of steps per block; more if one round of the loader's workers needs more.
    limit_seconds
        Limit on the total waiting time: worker start-up, first steps, rounds, restoring. The measurement ends earlier
        when the interval is narrow. If three short rounds don't fit, they are measured anyway, and the result says so.

    Raises
    ------
    BadRequest
        ``no_state_found``: the step reaches no model. ``empty_loader``: the loader returned no batch.
        ``no_torch``: torch is not imported.
    GpuPerfError
        ``namespace_too_large``, ``snapshot_too_large``: too much state to save.
    """
    pace = {"state": tuple(state), "steps": steps, "limit_seconds": limit_seconds}
    return _measured(ab_test.headroom, loader, step, **pace)


@shortened_errors()
def apply(
    change: Any,  # a mapping of settings, or a finding or tuning result that has one
    *,
    loader: Any,
    step: ab_test.Step,
    state: Sequence[Any] = (),
    steps: int = 20,
    limit_seconds: float = 30.0,
) -> SpeedupView:
    """Measure the gain of other DataLoader settings, by running the loop alternately with the old and the new settings.

    ``change`` contains any of ``num_workers``, ``prefetch_factor``, ``pin_memory`` and ``persistent_workers``, for
    example ``{"num_workers": 4}``. It can also be a finding with such ``settings``, or the result of a tuning. The
    given loader is not changed; the result's ``.loader`` has the new settings. Everything else is as in :func:`headroom`.

    Raises
    ------
    BadRequest
        ``no_settings``: the change contains no settings. ``unknown_setting``: the loader has no such setting.
        ``not_rebuildable``: the loader can't be rebuilt. ``no_state_found``, ``no_torch``: see :func:`headroom`.
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
        hint = 'Example: gpuperf.apply({"num_workers": 4}, loader=…, step=…)'
        raise BadRequest("no_settings", "The change contains no DataLoader settings.", hint=hint)
    return inner


def _measured(
    measure: Callable[..., ab_test.ABTestResult], *given: Any, **pace: Any
) -> SpeedupView:
    torch = sys.modules.get("torch")
    if torch is None:
        require_package("torch", "headroom" if measure is ab_test.headroom else "apply")
        raise BadRequest("no_torch", "torch is not imported.", "Import it first.")
    with session().watching.timing_suspended():
        return SpeedupView(measure(torch, *given, **pace))
