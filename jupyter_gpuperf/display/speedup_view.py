"""Show the measured gain of a change to the loop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jupyter_gpuperf.ab_tests.ab_test import ABTestResult
from jupyter_gpuperf.display.blocks import Block, Heading, Line
from jupyter_gpuperf.display.document import Displayed
from jupyter_gpuperf.display.numbers import format_interval, format_quantity
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.schemas import Interval


class SpeedupView(Displayed):
    """The step times of a loop before and after a change.

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
        """Yield the speedup and the verdict, then the details."""
        data = self.data
        value, interval = format_interval(Interval(**data.speedup), "×")
        figures = {"speedup": value, "interval": interval, "change": data.what}
        heading = "{speedup} {interval} with {change}: {verdict}"
        yield Heading(Message(heading, **figures, verdict=self.verdict()))
        before, after = (
            " ".join(format_interval(Interval(**each), "seconds"))
            for each in (data.before, data.after)
        )
        yield Line(Message("{before} → {after} per step", before=before, after=after), "quiet")
        steps = "{rounds} rounds of {before} and {after} steps in {duration}"
        rounds, duration = (
            len(data.samples["before"]),
            format_quantity(data.cost_seconds, "seconds"),
        )
        yield Line(
            Message(steps, rounds=rounds, duration=duration, **data.steps_per_block), "quiet"
        )
        yield Line(Message("Restored bit for bit: {objects}.", objects=data.restored), "quiet")
        if data.doubt:
            yield Line(data.doubt, "quiet")

    def verdict(self) -> str:
        """Return the conclusion that the interval supports."""
        if self.data.speedup["low"] > 1:
            return Message("faster")
        if self.data.speedup["high"] < 1:
            return Message("slower")
        return Message("no measurable difference")
