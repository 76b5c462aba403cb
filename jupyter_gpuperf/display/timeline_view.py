"""Allocated memory by owner over time: stacked areas without a script, and a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from jupyter_gpuperf.display import style
from jupyter_gpuperf.display.blocks import Block, Drawing, Heading, Line, Table
from jupyter_gpuperf.display.document import Displayed, PlainDataView, joined
from jupyter_gpuperf.display.memory_view import KINDS
from jupyter_gpuperf.display.numbers import format_quantity
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.messages.translator import translated
from jupyter_gpuperf.schemas.memory import MemoryTimeline, TimelineOwner

WIDTH, HEIGHT = 720, 200
HUES: Final = (210, 28, 130, 275, 0, 185, 320, 55, 240, 95)
"""Neighbours differ much; 50 % of lightness contrasts with light and dark backgrounds."""
TIMELINE_KINDS: Final = {
    **KINDS,
    "freed": Message("freed meanwhile"),
    "before": Message("from before"),
}
HEAD: Final = (Message("Kind"), Message("Name"), Message("At the peak"), Message("At the end"))
_FIGURE: Final = Markup(
    '<figure style="margin:4px 0"><svg viewBox="0 0 {width} {height}" style="width:100%;max-width:{width}px" role="img" '
    'aria-label="{label}">{areas}{steps}</svg><figcaption {quiet}>{caption}</figcaption>'
    '<div style="display:flex;flex-wrap:wrap;gap:2px 12px;font-size:smaller">{legend}</div></figure>'
)
_AREA: Final = Markup('<polygon points="{points}" fill="{colour}"><title>{title}</title></polygon>')
_STEP: Final = Markup(
    '<line x1="{x}" x2="{x}" y1="0" y2="{height}" stroke="currentColor" stroke-dasharray="2 3" stroke-opacity="0.6"/>'
)
_KEY: Final = Markup(
    '<span style="white-space:nowrap"><span style="display:inline-block;width:10px;height:10px;background:{colour}">'
    "</span> {name}</span>"
)


@dataclass(frozen=True, repr=False)
class TimelineView(PlainDataView, Displayed):
    """The result of ``%gpumem record``."""

    wide = True
    data: MemoryTimeline

    def blocks(self) -> Iterator[Block]:
        """Yield the peak, the figure, the owners, and where the file is."""
        data = self.data
        peak = format_quantity(data.peak_bytes, "bytes")
        yield Heading(Message("Allocated memory of {device}", device=data.device), self._facts())
        yield Drawing(figure(data))
        yield Line(
            Message(
                "Peak {peak}, {seconds} after the beginning.",
                peak=peak,
                seconds=format_quantity(data.peak_seconds, "seconds"),
            )
        )
        rows = [
            (
                TIMELINE_KINDS[each.kind],
                each.name,
                format_quantity(each.peak_bytes, "bytes"),
                format_quantity(each.bytes[-1], "bytes"),
            )
            for each in data.owners
        ]
        yield Table(rows, looks=("quiet", "name", "value", "value"), head=HEAD if rows else ())
        viewer = "https://pytorch.org/memory_viz"
        text = Message("{file} can be opened in {viewer}", file=data.file, viewer=viewer)
        yield Line(text, "quiet")
        yield from (Line(each, "quiet") for each in data.notes)

    def _facts(self) -> str:
        data = self.data
        steps = Message.counted("{count} step", "{count} steps", count=len(data.steps_seconds))
        events = Message.counted(
            "{count} allocation or release",
            "{count} allocations and releases",
            count=data.events_count,
        )
        return joined([steps if data.steps_seconds else "", events])


def figure(data: MemoryTimeline) -> str:
    """Return the owners' memory as stacked areas; the largest at the peak is at the bottom."""
    if len(data.times_seconds) < 2 or not data.peak_bytes:
        return ""
    seconds = data.times_seconds[-1]
    scale = WIDTH / seconds if seconds else 0.0
    areas, legend = [], []
    below = [0.0] * len(data.times_seconds)
    for index, owner in enumerate(data.owners):
        colour = f"hsl({HUES[index % len(HUES)]},45%,50%)"
        above = [low + value for low, value in zip(below, owner.bytes, strict=True)]
        points = _outline([time * scale for time in data.times_seconds], below, above, data)
        size = format_quantity(owner.peak_bytes, "bytes")
        areas.append(_AREA.format(points=points, colour=colour, title=f"{_name(owner)}: {size}"))
        legend.append(_KEY.format(colour=colour, name=_name(owner)))
        below = above
    steps = (
        _STEP.format(x=f"{min(each, seconds) * scale:.1f}", height=HEIGHT)
        for each in data.steps_seconds
    )
    label = Message(
        "Memory by owner over {seconds}, up to {peak}; dotted: a step begins",
        seconds=format_quantity(seconds, "seconds"),
        peak=format_quantity(data.peak_bytes, "bytes"),
    )
    return _FIGURE.format(
        width=WIDTH,
        height=HEIGHT,
        label=translated(label),
        areas=Markup("").join(areas),
        steps=Markup("").join(steps),
        quiet=style.QUIET,
        caption=translated(label),
        legend=Markup("").join(legend),
    )


def _name(owner: TimelineOwner) -> str:
    return f"{translated(TIMELINE_KINDS[owner.kind])}: {translated(owner.name)}"


def _outline(
    x: Sequence[float], low: Sequence[float], high: Sequence[float], data: MemoryTimeline
) -> str:
    """Return the corners of an area; each value lasts until the next."""
    scale = HEIGHT / data.peak_bytes

    def corners(values: Sequence[float]) -> list[tuple[float, float]]:
        ends = [*x[1:], x[-1]]
        return [
            (at, HEIGHT - value * scale)
            for begin, end, value in zip(x, ends, values, strict=True)
            for at in (begin, end)
        ]

    return " ".join(f"{at:.1f},{y:.1f}" for at, y in [*corners(high), *reversed(corners(low))])
