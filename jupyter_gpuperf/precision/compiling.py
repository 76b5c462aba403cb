"""Compile a cell's models in place with torch.compile. The cell and the functions that it calls stay unchanged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from jupyter_gpuperf.errors import Unavailable
from jupyter_gpuperf.measure.compiler import check_compiler
from jupyter_gpuperf.precision.session import ProfileSession
from jupyter_gpuperf.precision.timing import CellStopwatch, Variant

SETTLING_RUNS: Final = 3
"""Runs after the first one. In these, the optimizer's new state or a new shape may cause another compilation."""


class Compilation:
    """The models of a session, compiled for one mode at a time.

    Raises
    ------
    Unavailable
        ``nothing_to_compile``, or an error of :func:`check_compiler`.
    """

    def __init__(self, session: ProfileSession) -> None:
        check_compiler(session.torch, session.device)
        self._session = session
        models = [module for _, module in session.models_used()]
        self._modules = [each for each in models if not is_compiled(each)]
        if not self._modules:
            message = "The cell uses no model that could be compiled."
            hint = "Bind the uncompiled model to a variable in the notebook."
            raise Unavailable("nothing_to_compile", message, hint)
        self._compiled: list[tuple[Any, Any]] = []

    def begin(self) -> None:
        """Discard code that was compiled for another mode. The models are compiled again when they next run."""
        torch = self._session.torch
        torch.compiler.reset()
        self._session.reset()
        # Not module.compile(): for torch's own containers it silently compiles nothing.
        self._compiled = [(each, torch.compile(each.forward)) for each in self._modules]

    def end(self) -> None:
        """Restore the state and discard the compiled code."""
        self._session.reset()
        self._session.torch.compiler.reset()

    def activate(self) -> None:
        """Make the models run their compiled code, until the state is restored."""
        for module, forward in self._compiled:
            module.forward = forward

    def measure(self, stopwatch: CellStopwatch, variant: Variant) -> dict[str, Any]:
        """Compile the models by running the cell.

        Return the seconds that compiling took and the numbers of graphs, graph breaks and recompilations.
        """
        session = self._session
        with stopwatch.using(variant):
            counts = _counters()
            session.synchronize()
            first = session.time_cell()
            graphs = counts().get("graphs")
            later = [session.time_cell() for _ in range(SETTLING_RUNS)]
            totals = counts()
        variant.run_seconds = fastest = min(later)
        return {
            "compile_seconds": max(0.0, first - fastest)
            + sum(each - fastest for each in later if each > 3 * fastest),
            "graphs": totals.get("graphs"),
            "graph_breaks": totals.get("breaks"),
            "recompilations": None if graphs is None else totals["graphs"] - graphs,
        }


def is_compiled(module: Any) -> bool:
    """Return whether a module is what ``torch.compile`` returned."""
    return type(module).__name__ == "OptimizedModule"


def _counters() -> Callable[[], dict[str, int]]:
    """Reset torch's compilation counters and return a function that reads them: ``{}`` when this torch has none."""
    try:
        from torch._dynamo.utils import counters
    except ImportError:
        return dict
    counters.clear()
    return lambda: {
        "graphs": int(counters["stats"].get("unique_graphs", 0)),
        "breaks": sum(counters["graph_break"].values()),
    }
