"""Check what each mode computes: dtypes, GPU kernels, numerical results, energy. These runs are not timed."""

from __future__ import annotations

import functools
import math
import time
from typing import Any, Final

from jupyter_gpuperf.measure.statistics import Interval, mean_interval
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.precision import kernels as kernel_names
from jupyter_gpuperf.precision.activity import TensorActivity
from jupyter_gpuperf.precision.census import counting_operators
from jupyter_gpuperf.precision.numerics import NoiseFloors, compare, noise_floors
from jupyter_gpuperf.precision.session import ANY_NUMBER, ProfileSession
from jupyter_gpuperf.precision.trace import Operator, Trace, trace_runs, tracing_operators

REFERENCE: Final = "fp32"
OTHER_SEEDS: Final = (11, 23)
POWER_SECONDS: Final = 3.0
SETTLE_SECONDS: Final = 1.2
"""Run the cell this long before the first power reading: the driver reports a mean over the last second."""


class ModeChecks:
    """The checks of one session. The fp32 reference is computed once and shared by all modes.

    Parameters
    ----------
    steps
        Length of the loss curves in optimizer steps. Shortened, with a warning in ``warnings``, if they would take too
        long.
    run_seconds
        Seconds of one run of the cell.
    budget_seconds
        Approximate time for all loss curves together.
    """

    def __init__(
        self, session: ProfileSession, *, steps: int, run_seconds: float, budget_seconds: float
    ) -> None:
        self._session = session
        self.warnings: list[str] = []
        steps_per_run = max(1, session.steps_per_run)
        runs = math.ceil(steps / steps_per_run)
        curves = 2 + len(OTHER_SEEDS) + 3  # the fp32 reference twice, other seeds, and three modes
        affordable = max(1, int(budget_seconds / max(run_seconds, 1e-6) / curves))
        self._runs = min(runs, affordable)
        self._steps_per_run = steps_per_run
        if self._runs < runs:
            shorter = "Losses compared over {compared} of {steps} steps to save time; --rigorous allows more."
            self.warnings.append(Message(shorter, compared=self.steps_compared, steps=steps))
        self._activity: TensorActivity | None = None

    @property
    def runs(self) -> int:
        """Number of runs in a row for a loss curve."""
        return min(self._runs, self._session.most_runs)

    @property
    def steps_compared(self) -> int:
        """Length of the loss curves."""
        return self.runs * self._steps_per_run

    def census(self, mode: str) -> dict[str, Any]:
        """Run the cell once and return which operators ran in which dtype."""
        session = self._session
        with session.in_mode(mode), counting_operators(session.torch) as census:
            session.run_cell()
        return census.to_dict()

    def kernels(self, mode: str) -> dict[str, Any]:
        """Profile one run and return the shares of GPU kernel time by kind, or ``reason`` if the profiler fails."""
        session = self._session
        try:
            with session.in_mode(mode) as observer:
                if session.most_runs > 1:
                    session.run_cell()
                before = observer.step_count
                seconds = kernel_names.kernel_seconds(session.torch, session.run_cell)
                steps = max(1, observer.step_count - before)
        except RuntimeError as error:
            return {"reason": Message("The profiler failed: {error}", error=error)}
        shares = kernel_names.time_shares(seconds)
        if "kernel_seconds" in shares:
            shares["step_kernel_seconds"] = shares["kernel_seconds"] / steps
        return shares

    def tensor_active_ratio(self, mode: str, uuid: str | None) -> float | None:
        """Return the share of time (0 to 1) in which the tensor cores of device ``uuid`` were active.

        ``None`` when the device has no UUID or no such counter.
        """
        if uuid is None or self._session.most_runs < ANY_NUMBER:
            return None
        if self._activity is None:
            self._activity = TensorActivity(uuid)
        with self._session.in_mode(mode):
            return self._activity.ratio(self._session.time_cell)

    def numerics(self, mode: str) -> dict[str, Any]:
        """Return how the losses and gradients of a mode compare with those of fp32."""
        reference, floors, operators = self._reference
        if mode == REFERENCE:
            return {
                "verdict": "reference",
                "sentence": Message("the reference"),
                "against_floor": None,
                "losses": reference.losses,
                "floors": floors.to_dict(),
            }
        trace = trace_runs(self._session, mode, runs=self.runs)
        return compare(trace, reference, floors, (self._operators(mode), operators))

    @functools.cached_property
    def _reference(self) -> tuple[Trace, NoiseFloors, list[Operator]]:
        session, runs = self._session, self.runs
        reference = trace_runs(session, REFERENCE, runs=runs)
        again = trace_runs(session, REFERENCE, runs=runs)
        others = [
            trace_runs(session, REFERENCE, runs=runs, details=False, seed=seed)
            for seed in OTHER_SEEDS
        ]
        floors = noise_floors(reference, again, others)
        return reference, floors, self._operators(REFERENCE)

    def _operators(self, mode: str) -> list[Operator]:
        session = self._session
        with session.in_mode(mode), tracing_operators(session.torch) as operators:
            session.run_cell()
        return operators

    def energy(self, mode: str, step_seconds: Interval | None) -> Interval | None:
        """Return joules per step, from the power that the driver reports while the cell runs repeatedly.

        ``None`` when the step was not timed or the driver reports no power.
        """
        torch, session = self._session.torch, self._session
        if step_seconds is None or session.most_runs < ANY_NUMBER:
            return None
        watts: list[float] = []
        with session.in_mode(mode):
            began = time.perf_counter()
            while time.perf_counter() - began < POWER_SECONDS:
                session.time_cell()
                if time.perf_counter() - began > SETTLE_SECONDS:
                    try:
                        watts.append(torch.cuda.power_draw() / 1000)
                    except Exception:  # noqa: BLE001  (whatever the error, the power is unknown)
                        return None
        if not watts:
            return None
        power = mean_interval(watts)
        return {name: value * step_seconds["value"] for name, value in power.items()}

    def close(self) -> None:
        """Free the gradients of the fp32 run and close the connection to the driver."""
        vars(self).pop("_reference", None)
        if self._activity is not None:
            self._activity.close()
            self._activity = None
