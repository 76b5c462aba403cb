"""Name where torch.compile split a cell's model into several graphs."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Final

from jupyter_gpuperf.messages import Message

MOST_NAMED: Final = 2
MOST_CHARACTERS: Final = 80


class GraphBreaks:
    """The graph breaks during a context, each reason with its count."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    @contextlib.contextmanager
    def recorded(self) -> Iterator[None]:
        """Count those in the context."""
        before = _counts()
        try:
            yield
        finally:
            self.counts += _counts() - before

    def added_to(self, why: Message) -> Message:
        """Return a sentence with the breaks after it, if there were any."""
        if not self.counts:
            return why
        named = [reason[:MOST_CHARACTERS] for reason, _ in self.counts.most_common(MOST_NAMED)]
        template = "{why} Graph breaks: {count}, such as: {reasons}."
        return Message(template, why=why, count=self.counts.total(), reasons=named)


def _counts() -> Counter[str]:
    utils = sys.modules.get("torch._dynamo.utils")
    found = getattr(utils, "counters", {}).get("graph_break", {})
    counts: Counter[str] = Counter()
    for reason, count in found.items():
        counts[str(reason).strip().split("\n")[0].rstrip(".")] += count
    return counts
