"""Check that a version of a cell computes what fp32 does, held against fp32's own noise."""

from __future__ import annotations

import functools
from typing import Any, Final

from jupyter_gpuperf.levers.cell_code import CellCode
from jupyter_gpuperf.levers.versions import Versions
from jupyter_gpuperf.precision.mode_checks import OTHER_SEEDS, REFERENCE
from jupyter_gpuperf.precision.mode_context import CURRENT_MODE
from jupyter_gpuperf.precision.numerics import (
    CLOSE,
    UNKNOWN,
    WITHIN,
    NoiseFloors,
    compare,
    noise_floors,
)
from jupyter_gpuperf.precision.session import ProfileSession
from jupyter_gpuperf.precision.trace import Trace, trace_runs

ROUNDING_RATIO: Final = 1e-4
"""Relative difference of losses or outputs that another order of fp32's sums explains."""


def are_right(numbers: dict[str, Any]) -> bool:
    """Return whether what :meth:`NumbersCheck.compare` found allows to take a version.

    It does, too, if a verdict is unknown only for want of noise, and the numbers are off by rounding alone.
    """
    if numbers["verdict"] != UNKNOWN:
        return numbers["verdict"] in (WITHIN, CLOSE)
    known = [numbers.get("first_loss_relative"), (numbers.get("outputs") or {}).get("relative")]
    off = [each for each in known if each is not None]
    return bool(off) and max(off) < ROUNDING_RATIO


class NumbersCheck:
    """Compares losses and gradients over some runs in a row; the reference is computed once."""

    def __init__(self, session: ProfileSession, versions: Versions, runs: int) -> None:
        self._session, self._versions = session, versions
        self._wanted_runs = runs

    @property
    def runs(self) -> int:
        """Number of runs in a row."""
        return max(1, min(self._wanted_runs, self._session.most_runs))

    def compare(self, code: CellCode) -> dict[str, Any]:
        """Return how the version compares with fp32, as :func:`precision.numerics.compare` does."""
        reference, floors = self._reference
        self._versions.choose(code)
        trace = trace_runs(self._session, CURRENT_MODE, runs=self.runs)
        return compare(trace, reference, floors)

    @functools.cached_property
    def _reference(self) -> tuple[Trace, NoiseFloors]:
        session, runs = self._session, self.runs
        self._versions.choose(None)
        reference = trace_runs(session, REFERENCE, runs=runs)
        again = trace_runs(session, REFERENCE, runs=runs)
        others = [
            trace_runs(session, REFERENCE, runs=runs, details=False, seed=seed)
            for seed in OTHER_SEEDS
        ]
        return reference, noise_floors(reference, again, others)
