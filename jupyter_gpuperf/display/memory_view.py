"""Who holds a device's memory, as a table and as an icicle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from jupyter_gpuperf.device_memory.owner_groups import grouped
from jupyter_gpuperf.display.blocks import Bar, Block, Cell, Drawing, Heading, Line, Span, Table
from jupyter_gpuperf.display.document import Displayed, PlainDataView, joined
from jupyter_gpuperf.display.numbers import format_quantity
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.messages.translator import translated
from jupyter_gpuperf.schemas import FreedMemory, MemoryOwner, MemoryReport, OutOfMemory

MOST_ROWS: Final = 15
MOST_NAMES: Final = 3
NARROWEST_RATIO: Final = 0.01
"""Narrower owners are not drawn in the icicle."""
KINDS: Final = {
    "parameter": Message("parameters"),
    "gradient": Message("gradients"),
    "optimizer": Message("optimizer state"),
    "buffer": Message("buffers"),
    "activation": Message("activations for backward"),
    "batch": Message("prefetched batches"),
    "variable": Message("variable"),
    "exception": Message("last exception"),
    "history": Message("history"),
    "other": Message("other"),
    "workspace": Message("workspace"),
    "cache": Message("cache"),
    "context": Message("context"),
    "process": Message("other process"),
}
HEAD: Final = (Message("Kind"), Message("Name"), Message("Memory"), "", Message("Held by"))
_COLUMN: Final = Markup(
    '<div style="flex:{share} 1 0;min-width:0;overflow:hidden"><div title="{title}" style="{look}">{text}</div>'
    '<div style="display:flex">{inner}</div></div>'
)
_LOOK: Final = (
    "background:hsl({hue},45%,{light}%);color:#fff;padding:1px 4px;margin:0 1px 1px 0;white-space:nowrap;"
    "overflow:hidden;text-overflow:ellipsis;font-size:smaller"
)


@dataclass(frozen=True, repr=False)
class MemoryView(PlainDataView, Displayed):
    """The return value of ``%gpumem`` and ``gpuperf.memory()``."""

    wide = True
    data: MemoryReport

    @property
    def owners(self) -> Sequence[MemoryOwner]:
        """The owners, the largest first."""
        return tuple(self.data.owners)

    def blocks(self) -> Iterator[Block]:
        """Yield the totals, the icicle, the owners, and what to note."""
        data = self.data
        yield Heading(Message("Memory of {device}", device=data.device), joined(self._totals()))
        yield Drawing(icicle(data.owners))
        yield Table(
            list(self._rows()),
            looks=("quiet", "name", "value", "bar", "sentence"),
            head=HEAD if data.owners else (),
        )
        yield from (Line(each, "quiet") for each in [*self._remarks(), *data.notes])

    def _totals(self) -> Iterator[Message]:
        data = self.data
        yield Message("{size} in tensors", size=format_quantity(data.allocated_bytes, "bytes"))
        if data.reserved_bytes is not None:
            reserved = format_quantity(data.reserved_bytes, "bytes")
            yield Message("{size} reserved by torch", size=reserved)
        if data.free_bytes is not None and data.total_bytes is not None:
            free, total = (format_quantity(e, "bytes") for e in (data.free_bytes, data.total_bytes))
            yield Message("{free} of {total} free", free=free, total=total)

    def _rows(self) -> Iterator[Sequence[Cell]]:
        owners = grouped(self.data.owners)
        largest = max((each.bytes for each in owners), default=0.0) or 1.0
        for each in owners[:MOST_ROWS]:
            size = format_quantity(each.bytes, "bytes")
            yield KINDS[each.kind], each.name, size, Bar(each.bytes / largest), _holders(each)
        if rest := owners[MOST_ROWS:]:
            size = format_quantity(sum(each.bytes for each in rest), "bytes")
            text = Message.counted(
                "and {count} smaller owner: {size}",
                "and {count} smaller owners: {size}",
                count=len(rest),
                size=size,
            )
            yield "", Span(text)

    def _remarks(self) -> Iterator[Message]:
        data = self.data
        if data.attributed_ratio is not None:
            percent = 100 * data.attributed_ratio
            yield Message("{percent:.1f} % of the tensors' memory has an owner.", percent=percent)
        if data.fragmented_bytes:
            size = format_quantity(data.fragmented_bytes, "bytes")
            largest = format_quantity(data.largest_free_block_bytes, "bytes")
            text = "Fragmentation: {size} unused between tensors; the largest unused block has {largest}."
            yield Message(text, size=size, largest=largest)
        kept = sum(each.bytes for each in data.owners if each.kind in ("history", "exception"))
        if kept:
            size = format_quantity(kept, "bytes")
            yield Message("%gpumem free clears history and last exception: {size}.", size=size)


@dataclass(frozen=True, repr=False)
class OutOfMemoryView(PlainDataView, Displayed):
    """What is shown below the traceback of a cell that ran out of memory."""

    data: OutOfMemory

    def blocks(self) -> Iterator[Block]:
        """Yield what was requested and was free, the largest owners, and what to do."""
        data = self.data
        yield Heading(Message("Why the memory ran out"), joined(self._facts()))
        if data.place:
            yield Line(Message("Requested by {place}: {code}", place=data.place, code=data.code))
        held = format_quantity(data.held_by_exception_bytes, "bytes")
        yield Line(Message("The failed cell still holds {size} through its traceback.", size=held))
        largest = [
            (KINDS[each.kind], each.name, format_quantity(each.bytes, "bytes"), _holders(each))
            for each in data.largest
        ]
        yield Table(largest, looks=("quiet", "name", "value", "sentence"))
        rows = [_row(Message("To do"), each.action, each.bytes) for each in data.remedies]
        yield Table(rows, looks=("quiet", "sentence", "value"))
        off = "%config GpuMemMagics.explains_out_of_memory = False"
        yield Line(Message("To turn this off: {command}", command=off), "small")

    def _facts(self) -> Iterator[Message]:
        data = self.data
        if data.requested_bytes is not None:
            size = format_quantity(data.requested_bytes, "bytes")
            yield Message("{size} requested", size=size)
        if data.free_bytes is not None:
            yield Message("{size} free", size=format_quantity(data.free_bytes, "bytes"))
        if data.unused_bytes is not None:
            size = format_quantity(data.unused_bytes, "bytes")
            yield Message("{size} cached or fragmented", size=size)


@dataclass(frozen=True, repr=False)
class FreedView(PlainDataView, Displayed):
    """The return value of ``%gpumem free``."""

    data: FreedMemory

    def blocks(self) -> Iterator[Block]:
        """Yield what was measured."""
        freed = format_quantity(self.data.freed_bytes, "bytes")
        yield Heading(Message("{size} came free", size=freed), joined(self._details()))

    def _details(self) -> Iterator[Message]:
        data = self.data
        yield Message("{size} predicted", size=format_quantity(data.promised_bytes, "bytes"))
        if data.cache_bytes is not None:
            size = format_quantity(data.cache_bytes, "bytes")
            yield Message("{size} of cache returned to the device", size=size)


def _holders(owner: MemoryOwner) -> str:
    others = [name for name in owner.holders if name != owner.name]
    return ", ".join(others[:MOST_NAMES]) + (", …" if len(others) > MOST_NAMES else "")


def icicle(owners: Sequence[MemoryOwner]) -> str:
    """Return HTML that draws the kinds above their owners, each as wide as its memory."""
    total = sum(each.bytes for each in owners)
    by_kind: dict[str, list[MemoryOwner]] = {}
    for each in owners:
        by_kind.setdefault(each.kind, []).append(each)
    columns = Markup("").join(
        _column(
            translated(KINDS[kind]),
            sum(each.bytes for each in members),
            total,
            hue=25 * list(KINDS).index(kind),
            inner=members,
        )
        for kind, members in by_kind.items()
    )
    return (
        Markup('<div style="display:flex;margin:4px 0">{}</div>').format(columns) if total else ""
    )


def _column(
    text: str, size: float, total: float, hue: int, inner: Sequence[MemoryOwner] = ()
) -> Markup:
    if size < NARROWEST_RATIO * total:
        return Markup("")
    parts = [_column(translated(each.name), each.bytes, total, hue) for each in inner]
    title = f"{text}: {format_quantity(size, 'bytes')}"
    look = _LOOK.format(hue=hue, light=38 if inner else 48)
    share = f"{size / total:.4f}"
    return _COLUMN.format(
        share=share, title=title, look=look, text=text, inner=Markup("").join(parts)
    )


def _row(first: str, second: str, size: float | None) -> tuple[str, str, str]:
    return first, second, format_quantity(size, "bytes")
