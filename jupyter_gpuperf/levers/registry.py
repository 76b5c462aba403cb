"""All levers: our own, and those of other packages."""

from __future__ import annotations

from jupyter_gpuperf.levers import (
    model_levers,
    optimizer_levers,
    precision_levers,
    waiting_lines,
)
from jupyter_gpuperf.levers.lever import Lever
from jupyter_gpuperf.plugins import with_additions

OWN = (
    *precision_levers.LEVERS,
    *model_levers.LEVERS,
    *optimizer_levers.LEVERS,
    *waiting_lines.LEVERS,
)


def all_levers() -> tuple[Lever, ...]:
    """Return them, those that compile last, and after these what can end the CUDA context."""
    found = with_additions(OWN, "levers", Lever, lambda each: each.name)
    return tuple(sorted(found, key=lambda each: (each.requires == "risky", each.compiles)))
