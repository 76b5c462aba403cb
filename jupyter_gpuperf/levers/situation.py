"""Find what a cell uses, by the paths that are valid in its notebook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jupyter_gpuperf.levers.lever import Situation
from jupyter_gpuperf.precision.session import ProfileSession


def situation_of(session: ProfileSession) -> Situation:
    """Return what the session's cell uses, after its ordinary run."""
    namespace, traits = session.subject.namespace, session.cell_traits
    return Situation(
        torch=session.torch,
        device=session.device,
        namespace=namespace,
        models=_valid(session.models_used(), namespace),
        optimizers=_valid(session.before.reached.optimizers, namespace),
        has_own_autocast=traits.own_autocast is not None,
        has_scaler=traits.has_scaler,
        has_backward=session.steps_per_run > 0 or "backward" in session.names_used(),
    )


def _valid(found: Sequence[tuple[str, Any]], namespace: Any) -> dict[str, Any]:
    """Return those whose path, as code in the notebook, is that object."""
    return {path: each for path, each in found if _value_of(path, namespace) is each}


def _value_of(path: str, namespace: Any) -> Any:
    try:
        return eval(path, dict(namespace))
    except Exception:  # noqa: BLE001  (a path that is no expression, or a property of the user's)
        return None
