"""``gpuperf.memory()``, and what ``%gpumem`` does beside it."""

from __future__ import annotations

import gc
import linecache
import re
import types
from collections.abc import Iterator, Sequence
from typing import Any, Final

from jupyter_gpuperf.device_memory.notebook import Notebook, Slot
from jupyter_gpuperf.device_memory.objects import of_exception
from jupyter_gpuperf.device_memory.owner_groups import grouped
from jupyter_gpuperf.device_memory.release import held_bytes, promised_bytes
from jupyter_gpuperf.device_memory.report import device_of, loaded_torch, memory_report
from jupyter_gpuperf.display.memory_view import FreedView, MemoryView, OutOfMemoryView
from jupyter_gpuperf.display.shell import running_shell
from jupyter_gpuperf.errors import NotFound
from jupyter_gpuperf.measure.device import started_cuda
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.schemas import (
    FreeableMemory,
    FreedMemory,
    MemoryRemedy,
    MemoryReport,
    OutOfMemory,
)
from jupyter_gpuperf.state.roots import is_user_module

SIZE: Final = r"([\d.]+) (\w+)"
REQUESTED: Final = re.compile(rf"Tried to allocate {SIZE}")
DEVICE: Final = re.compile(r"GPU (\d+) has a total capacity")
FREE: Final = re.compile(rf"of which {SIZE} is free")
ALLOWED: Final = re.compile(rf"{SIZE} allowed;")
ALLOCATED: Final = re.compile(rf"memory {SIZE} is allocated by PyTorch")
UNUSED: Final = re.compile(rf"and {SIZE} is reserved by PyTorch but unallocated")
UNITS: Final = {"bytes": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
MOST_LARGEST: Final = 5
MOST_VARIABLES: Final = 2
"""How many of the notebook's variables are proposed to be freed; each is searched for."""


def memory(device: str | None = None) -> MemoryView:
    """Return who holds the memory of a device: names of the notebook, graphs, the last exception, the allocator.

    It looks at what is alive now; nothing needs to have been recorded. The notebook's code is not called.

    Parameters
    ----------
    device
        ``cuda:0`` or ``cpu``; by default the current GPU, or the CPU if the notebook does not use CUDA.

    Raises
    ------
    NotFound
        ``unknown_device``.
    """
    return MemoryView(memory_report(Notebook(running_shell()), device))


class Freeing:
    """Frees what only the history and the last exception keep alive, and the named variables.

    Parameters
    ----------
    names
        Variables to delete.

    Raises
    ------
    NotFound
        ``unknown_name``: the notebook has no such name.
    """

    def __init__(self, names: Sequence[str] = ()) -> None:
        self._notebook = Notebook(running_shell())
        self._torch = loaded_torch()
        hidden = self._notebook.hidden_names() if names else ()
        for name in names:
            if name not in self._notebook.names or name in hidden:
                message = "{name} is not defined in this notebook."
                raise NotFound("unknown_name", message, "Check the name.", name=name)
        self._names = names
        gc.collect()  # what nothing refers to any more is not part of the prediction
        slots = self._slots()
        self.cleared = list(dict.fromkeys(map(_described, slots)))
        self._device: Any = None
        self.promised_bytes = 0.0
        if self._torch is not None:
            self._device = device_of(self._torch, None)
            self.promised_bytes = promised_bytes(self._torch, self._notebook, slots, self._device)

    @property
    def freeable(self) -> FreeableMemory:
        """What will be cleared, and how much that will free."""
        return FreeableMemory(
            device=str(self._device or "cpu"),
            cleared=self.cleared,
            promised_bytes=self.promised_bytes,
        )

    def run(self) -> FreedView:
        """Clear, and measure what came free."""
        torch, device = self._torch, self._device
        before = held_bytes(torch, device) if torch is not None else 0.0
        self._clear()
        gc.collect()
        after = held_bytes(torch, device) if torch is not None else 0.0
        cache = None
        if device is not None and device.type == "cuda":
            reserved = torch.cuda.memory_reserved(device)
            torch.cuda.empty_cache()
            cache = float(reserved - torch.cuda.memory_reserved(device))
        return FreedView(
            FreedMemory(
                device=str(device or "cpu"),
                cleared=self.cleared,
                promised_bytes=self.promised_bytes,
                freed_bytes=before - after,
                cache_bytes=cache,
            )
        )

    def _clear(self) -> None:
        for each in self._slots():
            each.clear()

    def _slots(self) -> list[Slot]:
        notebook = self._notebook
        named = [notebook.variable(name) for name in self._names]
        return [*notebook.exceptions(), *notebook.history(), *named]


def _described(slot: Slot) -> str:
    return Message("the last exception") if slot.kind == "exception" else slot.name


def out_of_memory_in(error: BaseException | None) -> BaseException | None:
    """Return torch's out-of-memory error: the error itself, or what it was raised from."""
    kind = getattr(loaded_torch(), "OutOfMemoryError", None) or getattr(
        getattr(loaded_torch(), "cuda", None), "OutOfMemoryError", None
    )
    seen: set[int] = set()
    while error is not None and kind is not None and id(error) not in seen:
        if issubclass(type(error), kind):
            return error
        seen.add(id(error))
        cause = of_exception(error, "__cause__")
        error = of_exception(error, "__context__") if cause is None else cause
    return None


def explain(error: BaseException) -> OutOfMemoryView:
    """Return why the cell that IPython is ending ran out of memory, from its error and from who holds the memory now."""
    notebook, torch = Notebook(running_shell()), loaded_torch()
    text = next(iter(of_exception(error, "args")), "")
    text = text if type(text) is str else ""
    gpu = DEVICE.search(text) if started_cuda(torch) else None
    report = memory_report(notebook, gpu and f"cuda:{gpu[1]}")
    device = torch.device(report.device)
    place, code = _requesting_line(error, notebook)
    remedies = _Remedies(torch, notebook, device)
    proposed = sorted(remedies.propose(report), key=lambda each: -(each.bytes or 0))
    smaller = Message("Use a smaller batch, or torch.utils.checkpoint")
    return OutOfMemoryView(
        OutOfMemory(
            device=report.device,
            requested_bytes=_size(REQUESTED, text),
            free_bytes=_free_bytes(text),
            unused_bytes=_size(UNUSED, text),
            place=place,
            code=code,
            held_by_exception_bytes=remedies.freed_by(notebook.exceptions()),
            largest=grouped(report.owners)[:MOST_LARGEST],
            remedies=[*proposed, MemoryRemedy(action=smaller, bytes=None)],
        )
    )


def _free_bytes(text: str) -> float | None:
    """Return what torch could still have taken, which torch.cuda.set_per_process_memory_fraction may limit."""
    free, allowed = _size(FREE, text), _size(ALLOWED, text)
    if allowed is None:
        return free
    left = max(0.0, allowed - (_size(ALLOCATED, text) or 0.0) - (_size(UNUSED, text) or 0.0))
    return left if free is None else min(free, left)


class _Remedies:
    def __init__(self, torch: Any, notebook: Notebook, device: Any) -> None:
        self._torch, self._notebook, self._device = torch, notebook, device

    def propose(self, report: MemoryReport) -> Iterator[MemoryRemedy]:
        notebook = self._notebook
        slots = [*notebook.exceptions(), *notebook.history()]
        base = self.freed_by(slots)
        if base:
            yield MemoryRemedy(action="%gpumem free", bytes=base)
        variables = (each.name for each in report.owners if each.kind == "variable")
        names = [name for name in dict.fromkeys(variables) if name in notebook.names]
        for name in names[:MOST_VARIABLES]:
            freed = self.freed_by([*slots, notebook.variable(name)])
            if freed > base:
                yield MemoryRemedy(action=f"%gpumem free {name}", bytes=freed)
        gradients = sum(each.bytes for each in report.owners if each.kind == "gradient")
        if gradients:
            yield MemoryRemedy(action="optimizer.zero_grad(set_to_none=True)", bytes=gradients)
        if report.fragmented_bytes:
            setting = "PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True"
            action = Message("Restart with {setting}", setting=setting)
            yield MemoryRemedy(action=action, bytes=report.fragmented_bytes)

    def freed_by(self, slots: Sequence[Slot]) -> float:
        # IPython, and the caller, still refer to the failed cell's result and error.
        in_use = [each.value for each in slots if each.kind == "exception"]
        in_use += [
            of_exception(e, "__context__") for e in in_use if issubclass(type(e), BaseException)
        ]
        return promised_bytes(self._torch, self._notebook, slots, self._device, in_use)


def _requesting_line(error: BaseException, notebook: Notebook) -> tuple[str, str]:
    """Return the place and the code of the user's innermost line in the traceback."""
    trace: types.TracebackType | None = of_exception(error, "__traceback__")
    place = code = ""
    while trace is not None:
        frame = trace.tb_frame
        name = frame.f_globals.get("__name__")
        if frame.f_globals is notebook.names or (type(name) is str and is_user_module(name)):
            place = notebook.place_of_frame(frame, trace.tb_lineno)
            code = linecache.getline(frame.f_code.co_filename, trace.tb_lineno).strip()
        trace = trace.tb_next
    return place, code


def _size(pattern: re.Pattern[str], text: str) -> float | None:
    found = pattern.search(text)
    return None if found is None or found[2] not in UNITS else float(found[1]) * UNITS[found[2]]
