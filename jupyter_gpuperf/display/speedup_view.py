"""Show the measured gain of a change to the loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jupyter_gpuperf.ab_tests.ab_test import ABTestResult
from jupyter_gpuperf.display.document import Block, Displayed, Heading, Line
from jupyter_gpuperf.display.numbers import interval_words, quantity_words
from jupyter_gpuperf.schemas import Interval


class SpeedupView(Displayed):
    """A loop before and after a change.

    Attributes
    ----------
    data
        All figures, in seconds per step.
    loader
        The changed DataLoader, to continue with; ``None`` for headroom.
    """

    def __init__(self, data: ABTestResult) -> None:
        self.data = data
        self.loader = data.loader

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as plain data."""
        data = self.data
        return {
            "what": data.what,
            "before_step_seconds": data.before,
            "after_step_seconds": data.after,
            "speedup": data.speedup,
            "samples": data.samples,
            "steps_per_block": data.steps_per_block,
            "restored": data.restored,
            "cost_seconds": data.cost_seconds,
            "warnings": [data.doubt] if data.doubt else [],
        }

    def blocks(self) -> Iterator[Block]:
        """Yield the result in words: the speed-up first, then the details."""
        data, steps = self.data, self.data.steps_per_block
        value, span = interval_words(Interval(**data.speedup), "")
        yield Heading(f"{value}× {span}  with {data.what}: {self.verdict()}")
        yield Line(f"a step {_words(data.before)} → {_words(data.after)}", "quiet")
        rounds, cost = len(data.samples["before"]), quantity_words(data.cost_seconds, "seconds")
        blocks = f"{rounds} rounds of {steps['before']} and {steps['after']} steps"
        yield Line(f"{blocks}, {cost}", "quiet")
        yield Line(f"put back to the bit: {', '.join(data.restored)}", "quiet")
        if data.doubt:
            yield Line(data.doubt, "quiet")

    def verdict(self) -> str:
        """Return the conclusion that the interval supports."""
        if self.data.speedup["low"] > 1:
            return "faster here"
        if self.data.speedup["high"] < 1:
            return "slower here"
        return "no difference that these steps show"


def _words(interval: Mapping[str, float]) -> str:
    return " ".join(interval_words(Interval(**interval), "seconds"))
