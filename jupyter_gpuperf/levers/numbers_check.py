"""Check that a version of a cell computes what fp32 does, held against fp32's own noise."""

from __future__ import annotations

import functools
from typing import Any, Final

from jupyter_gpuperf.levers.cell_code import CellCode
from jupyter_gpuperf.levers.versions import Versions
from jupyter_gpuperf.measure.memory import free_device_memory
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.precision.failure_description import MOST_CHARACTERS
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
from jupyter_gpuperf.precision.session import OutOfTime, ProfileSession
from jupyter_gpuperf.precision.trace import Trace, trace_runs

RIGHT: Final = (WITHIN, CLOSE)
ROUNDING_RATIO: Final = 1e-4
"""Relative difference of losses or outputs that another order of fp32's sums explains."""


class NumbersCheck:
    """Compares losses and gradients over some runs in a row; the reference is computed once."""

    def __init__(self, session: ProfileSession, versions: Versions, runs: int) -> None:
        self._session, self._versions = session, versions
        self._wanted_runs = runs
        self.torch = session.torch

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


def wrong_numbers(check: NumbersCheck, code: CellCode) -> tuple[dict[str, Any], Message | None]:
    """Return how a version's numbers compare, and why they don't allow to take it; ``None`` if they do."""
    try:
        numbers = check.compare(code)
    except OutOfTime:
        return {}, Message("Numbers not compared: no time was left.")
    except Exception as error:  # noqa: BLE001  (whatever the cell raises, the other levers go on)
        free_device_memory(check.torch)
        return {}, Message("Numbers not compared: {reason}", reason=repr(error)[:MOST_CHARACTERS])
    if numbers["verdict"] not in RIGHT and not _is_exact(numbers):
        return numbers, Message("Numbers: {sentence}.", sentence=numbers["sentence"])
    return numbers, None


def _is_exact(numbers: dict[str, Any]) -> bool:
    """Return whether a verdict is unknown only for want of noise, and the numbers are off by rounding alone."""
    known = [numbers.get("first_loss_relative"), (numbers.get("outputs") or {}).get("relative")]
    off = [each for each in known if each is not None]
    return numbers["verdict"] == UNKNOWN and bool(off) and max(off) < ROUNDING_RATIO
