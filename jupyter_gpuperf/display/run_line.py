"""The current state of a run in one line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jupyter_gpuperf.display.document import joined
from jupyter_gpuperf.display.finding_view import SIGNS
from jupyter_gpuperf.display.numbers import format_quantity
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.schemas import Finding
from jupyter_gpuperf.schemas.training import LoopSteps


def run_line(name: str, loops: Sequence[LoopSteps], findings: Sequence[Finding]) -> str:
    """Return name, speed, waits and memory of the main loop, and the worst finding."""
    parts: list[str] = [name]
    parts += _figures(loops[0]) if loops else [Message("no steps yet")]
    parts += [f"{SIGNS[each.severity]} {each.code}" for each in findings[:1]]
    return joined(parts)


def _figures(loop: LoopSteps) -> Iterator[str]:
    rates = {"samples/s": loop.samples_per_second, "tokens/s": loop.tokens_per_second}
    yield from (f"{format_quantity(rate)} {unit}" for unit, rate in rates.items() if rate)
    yield Message("step {time}", time=format_quantity(loop.step_seconds, "seconds"))
    waiting = loop.idle_for_data_ratio
    if waiting is not None:
        text = "GPU idle for data {percent}"
        yield Message(text, percent=format_quantity(waiting, "ratio"))
    elif loop.wait_ratio is not None:
        yield Message("waits for data {percent}", percent=format_quantity(loop.wait_ratio, "ratio"))
    if loop.busy_ratio is not None:
        yield Message("GPU busy {percent}", percent=format_quantity(loop.busy_ratio, "ratio"))
    if loop.phases:
        known = {name: each.host_seconds for name, each in loop.phases.items() if each.host_seconds}
        if known:
            longest = max(known, key=lambda name: known[name])
            percent = format_quantity(known[longest] / sum(known.values()), "ratio")
            yield Message("host {percent} in {phase}", percent=percent, phase=longest)
    if loop.allocated_bytes is not None:
        yield format_quantity(loop.peak_allocated_bytes, "bytes")
