"""torch.compile on a cell: its models are compiled in place, so that the cell and the functions behind it stay as they are."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any, Final

from jupyter_gpuperf.amp.heap import attributes_of
from jupyter_gpuperf.errors import Unavailable
from jupyter_gpuperf.measure.compiler import check_compiler
from jupyter_gpuperf.precision.session import Session
from jupyter_gpuperf.precision.timing import Stopwatch, Variant

SETTLING_RUNS: Final = 3
"""After the first: the optimizer's state, or another shape, may make it compile once more."""


class Compilation:
    """The models of a session, compiled for one mode.

    Raises
    ------
    Unavailable
        ``nothing_to_compile``, or what :func:`check_compiler` says.
    """

    def __init__(self, session: Session, device: Any) -> None:
        check_compiler(session.torch, device)
        self._session = session
        used = session.names_used()
        self.modules = [
            (path, module)
            for path, module in session.before.heap.root_modules()
            if (not used or path.partition(".")[0].partition("[")[0] in used)
            and type(module).__name__ != "OptimizedModule"
            and next(module.parameters(), None) is not None
        ]
        if not self.modules:
            raise Unavailable(
                "nothing_to_compile",
                "The cell uses no model that is not compiled already.",
                "Give the model a name in the notebook.",
            )
        self._attributes: list[tuple[Any, dict[str, Any]]] = []

    def begin(self) -> None:
        """Forget what was compiled for another mode, and let the models be compiled anew."""
        self._session.torch.compiler.reset()
        self._session.fresh()
        self._attributes = []
        for _, module in self.modules:
            before = attributes_of(module)
            # Not module.compile(): for torch's own containers, that compiles nothing and does not say so.
            module.forward = self._session.torch.compile(module.forward)
            after = attributes_of(module)
            self._attributes.append(
                (
                    module,
                    {name: each for name, each in after.items() if before.get(name) is not each},
                )
            )

    def end(self) -> None:
        """Forget what was compiled."""
        self._session.fresh()
        self._session.torch.compiler.reset()

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the models run compiled."""
        for module, attributes in self._attributes:
            module.__dict__.update(attributes)
        try:
            yield
        finally:
            for module, attributes in self._attributes:
                for name in attributes:
                    module.__dict__.pop(name, None)

    def measure(self, stopwatch: Stopwatch, variant: Variant) -> dict[str, Any]:
        """Compile by running, and return the seconds that took, with the graphs, breaks and recompilations."""
        session = self._session
        with stopwatch.using(variant), _counted() as counts:
            session.synchronize()
            began = time.perf_counter()
            session.run()
            session.synchronize()
            first = time.perf_counter() - began
            graphs = counts().get("graphs")
            later = []
            for _ in range(SETTLING_RUNS):
                began = time.perf_counter()
                session.run()
                session.synchronize()
                later.append(time.perf_counter() - began)
            found = counts()
        variant.run_seconds = min(later)
        recompiled = None
        if graphs is not None:
            recompiled = found["graphs"] - graphs
        return {
            "compile_seconds": max(0.0, first - min(later))
            + sum(each - min(later) for each in later if each > 3 * min(later)),
            "graphs": found.get("graphs"),
            "graph_breaks": found.get("breaks"),
            "recompilations": recompiled,
        }


@contextlib.contextmanager
def _counted() -> Iterator[Any]:
    """Read torch's counters; where this torch keeps them elsewhere, nothing is told."""
    try:
        from torch._dynamo.utils import counters
    except ImportError:
        yield dict
        return
    counters.clear()

    def read() -> dict[str, int]:
        return {
            "graphs": int(counters["stats"].get("unique_graphs", 0)),
            "breaks": sum(counters["graph_break"].values()),
        }

    yield read
