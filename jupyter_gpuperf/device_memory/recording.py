"""Record the allocations of a CUDA device with their stacks, on demand: it slows steps by 15 to 35 %."""

from __future__ import annotations

import pickle
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from jupyter_gpuperf.device_memory.allocator import read_allocator
from jupyter_gpuperf.device_memory.naming import Names
from jupyter_gpuperf.device_memory.notebook import Notebook
from jupyter_gpuperf.device_memory.owners import RANK
from jupyter_gpuperf.device_memory.timeline import (
    BEFORE,
    Change,
    Owner,
    changes_in,
    largest_owners,
    timeline_of,
)
from jupyter_gpuperf.device_memory.undisturbed import undisturbed
from jupyter_gpuperf.device_memory.walk import Walk
from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.schemas.memory import MemoryTimeline, TimelineOwner

MOST_EVENTS: Final = 200_000
"""Beyond, the oldest are dropped."""


class Recording:
    """A recording to a file.

    Parameters
    ----------
    device
        The CUDA device, with its index, whose timeline is returned; the file has all devices.

    Raises
    ------
    BadRequest
        ``file_exists``, or ``already_recorded``: somebody else records.
    """

    def __init__(self, torch: Any, notebook: Notebook, device: Any, file: Path) -> None:
        if file.exists():
            message, hint = "{file} already exists.", "Choose another name with --file."
            raise BadRequest("file_exists", message, hint, file=str(file))
        if getattr(torch._C, "_cuda_isHistoryEnabled", bool)():
            message = "Allocations are already being recorded."
            hint = "To stop it: torch.cuda.memory._record_memory_history(enabled=None)"
            raise BadRequest("already_recorded", message, hint)
        self._torch, self._notebook, self._device, self._file = torch, notebook, device, file
        self._began_seconds = self._ended_bytes = 0.0
        self.steps_seconds: list[float] = []
        """When steps began, as Unix times."""

    def begin(self) -> None:
        """Record from now on."""
        memory = self._torch.cuda.memory
        memory._record_memory_history("all", stacks="python", max_entries=MOST_EVENTS)
        self._began_seconds = time.time()

    def stop(self) -> None:
        """Turn recording off, without a result."""
        self._torch.cuda.memory._record_memory_history(enabled=None)

    def end(self) -> MemoryTimeline:
        """Turn recording off, write the file, and return the timeline."""
        try:
            snapshot = self._torch.cuda.memory._snapshot()
            self._ended_bytes = float(self._torch.cuda.memory_allocated(self._device))
        finally:
            self.stop()
        with self._file.open("xb") as file:
            pickle.dump(snapshot, file)
        with undisturbed(self._torch):
            names = _owners_by_address(self._torch, self._notebook, str(self._device))
        return self._timeline(snapshot["device_traces"][self._device.index], names)

    def _timeline(
        self, trace: Sequence[Mapping[str, Any]], names: Mapping[int, Owner]
    ) -> MemoryTimeline:
        changes = changes_in(trace, names, self._place_of)
        notes: list[str] = []
        if len(trace) >= MOST_EVENTS:
            notes.append(Message("The oldest allocations are missing: there were too many."))
        if not changes:
            notes.append(Message("Nothing was allocated or released on this GPU meanwhile."))
        first = self._first(trace, names)
        # Backwards from the end, because the oldest events may be missing.
        before_bytes = self._ended_bytes - sum(each.bytes for each in changes)
        first[BEFORE] = max(0.0, before_bytes - sum(first.values()))
        timeline = timeline_of(changes or [_nothing(self._began_seconds)], first)
        shown = list(largest_owners(timeline))
        totals = [sum(values) for values in zip(*timeline.owners.values(), strict=True)]
        began = changes[0].seconds if changes else self._began_seconds
        peak = timeline.peak_column
        return MemoryTimeline(
            device=str(self._device),
            file=str(self._file),
            times_seconds=timeline.times_seconds,
            steps_seconds=[max(0.0, each - began) for each in self.steps_seconds],
            allocated_bytes=totals,
            peak_bytes=totals[peak],
            peak_seconds=timeline.times_seconds[peak],
            events_count=len(changes),
            owners=[
                TimelineOwner(kind=kind, name=name, bytes=values, peak_bytes=values[peak])
                for (kind, name), values in shown
            ],
            notes=notes,
        )

    def _first(
        self, trace: Sequence[Mapping[str, Any]], names: Mapping[int, Owner]
    ) -> dict[Owner, float]:
        """Return what each named owner had before: what is in use now and was not allocated meanwhile."""
        made = {each["addr"] for each in trace if each["action"] == "alloc"}
        blocks = read_allocator(self._torch, self._device).blocks
        first: dict[Owner, float] = {}
        for address, owner in names.items():
            if address not in made and address in blocks:
                first[owner] = first.get(owner, 0.0) + blocks[address][0]
        return first

    def _place_of(self, frames: Sequence[Mapping[str, Any]]) -> str | None:
        for each in frames:
            if self._notebook.is_own_file(each["filename"]):
                return self._notebook.place_of_line(each["filename"], each["line"])
        return None


def _nothing(seconds: float) -> Change:
    return Change(seconds, BEFORE, 0.0)


def _owners_by_address(torch: Any, notebook: Notebook, device: str) -> dict[int, Owner]:
    """Return the owner of each storage that a name reaches."""
    walk = Walk(torch, notebook.stops())
    walk.search("variable", notebook.variables())
    walk.search("variable", notebook.running_locals())
    walk.search("exception", [("", each.value) for each in notebook.exceptions()])
    walk.search("history", [(each.name, each.content) for each in notebook.history()])
    names = Names(walk, notebook.place_of_frame)
    found: dict[int, Owner] = {}
    for place in walk.tensors:
        for part in walk.parts_of(place):
            if part.device == device:
                holding = names.holding(place)
                owner = (holding.kind, holding.owner)
                known = found.setdefault(part.address, owner)
                if RANK.index(owner[0]) < RANK.index(known[0]):
                    found[part.address] = owner
    return found
