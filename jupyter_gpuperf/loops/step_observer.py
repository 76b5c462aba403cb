"""What looks at a few steps of the next loop more closely than the step clock does, such as a profiler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class StepObserver(Protocol):
    """Called in the loop's own thread. The first loader or optimizer that it is called with is the one it looks at."""

    def draw(self, iterator: Any, original: Callable[[Any], Any]) -> Any:
        """Return ``original(iterator)``, the next batch of a DataLoader's iterator; this begins a step."""

    def step_ended(self, optimizer: Any) -> None:
        """Take note that a step ended in a loop that is bounded by this optimizer; the next one begins."""

    def cell_ended(self) -> None:
        """Take note that no step goes on: a cell ended."""
