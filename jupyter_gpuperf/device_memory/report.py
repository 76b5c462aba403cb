"""Report a device's memory by owner."""

from __future__ import annotations

import sys
import time
from typing import Any, Final

from jupyter_gpuperf.device_memory.allocator import Allocator, owners_outside, read_allocator
from jupyter_gpuperf.device_memory.jax_arrays import fullest_jax_device, jax_is_used, jax_owners
from jupyter_gpuperf.device_memory.naming import Names
from jupyter_gpuperf.device_memory.no_torch import NO_TORCH, device_named
from jupyter_gpuperf.device_memory.notebook import Notebook
from jupyter_gpuperf.device_memory.owners import owners_of
from jupyter_gpuperf.device_memory.pace import AT_ONCE, AtOnce
from jupyter_gpuperf.device_memory.storages import Storage
from jupyter_gpuperf.device_memory.strays import names_of_holders
from jupyter_gpuperf.device_memory.undisturbed import undisturbed
from jupyter_gpuperf.device_memory.walk import TENSORS_AT_ONCE, Walk
from jupyter_gpuperf.errors import NotFound
from jupyter_gpuperf.measure.device import started_cuda
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.schemas.memory import MemoryReport

BESIDE: Final = ("workspace", "cache")
"""Kinds of memory that is in no tensor or array."""
NEGLIGIBLE_RATIO: Final = 0.01
"""Holders of tensors without a name are only looked for if these are more than this share."""
MOST_OBJECTS_IN_SLICES: Final = 100_000
LONGEST_LISTING_SECONDS: Final = 0.01
"""Beyond these, Python's list of all objects, torch's own among them, would hold the interpreter for too long."""


def memory_report(
    notebook: Notebook, device_name: str | None = None, pace: AtOnce = AT_ONCE
) -> MemoryReport:
    """Return who holds the memory of a device; by default the current GPU, or the CPU if CUDA is not used.

    Parameters
    ----------
    pace
        Whether the search is made in slices, beside code that runs.

    Raises
    ------
    NotFound
        ``unknown_device``.
    """
    torch = loaded_torch()
    if torch is None and not jax_is_used():
        return _empty_report()
    torch = NO_TORCH if torch is None else torch
    with undisturbed(torch):
        walk = Walk(torch, notebook.stops(), pace)
        try:
            return _report(walk, notebook, device_of(torch, device_name))
        finally:
            walk.forget()


def _report(walk: Walk, notebook: Notebook, device: Any) -> MemoryReport:
    torch, began = walk.torch, time.perf_counter()
    state = read_allocator(torch, device, walk.pace)
    _search(walk, notebook)
    names = Names(walk, notebook.place_of_frame)
    owners = owners_of(walk, names, str(device), lambda each: size_of(each, state))
    others = jax_owners(walk, names, str(device))
    allocated = sum(each.bytes for each in (*owners, *others) if each.kind not in BESIDE)
    ratio = None
    if state.reserved is not None:
        found = _addresses(walk, str(device))
        within = sum(size for address, (size, _) in state.blocks.items() if address in found)
        allocated = state.allocated
        ratio = within / allocated if allocated and state.blocks else None
        elsewhere = sum(each.bytes for each in others)
        outside = owners_outside(torch, device, state, found, elsewhere)
        owners += [each for each in outside if each.bytes]
    return MemoryReport(
        device=str(device),
        allocated_bytes=allocated,
        reserved_bytes=state.reserved,
        free_bytes=state.free,
        total_bytes=state.total,
        attributed_ratio=ratio,
        owners=sorted([*owners, *others], key=lambda each: -each.bytes),
        largest_free_block_bytes=state.largest_free_block,
        fragmented_bytes=state.fragmented,
        seconds=time.perf_counter() - began,
        notes=_notes(walk),
    )


def loaded_torch() -> Any:
    """Return torch if the notebook has imported it; it is never imported here."""
    torch = sys.modules.get("torch")
    return torch if hasattr(torch, "Tensor") and hasattr(torch, "optim") else None


def device_of(torch: Any, name: str | None) -> Any:
    """Return a device with its index.

    Raises
    ------
    NotFound
        ``unknown_device``.
    """
    if torch is NO_TORCH:
        return device_named(name or fullest_jax_device() or "cpu")
    cuda = started_cuda(torch)
    if name == "cpu" or (name is None and cuda is None):
        return torch.device("cpu")
    try:
        device = torch.device("cuda" if name is None else name)
        index = cuda.current_device() if device.index is None else device.index
        if device.type == "cuda" and index < cuda.device_count():
            return torch.device("cuda", index)
    except (AttributeError, RuntimeError):  # CUDA is not used, or the name is malformed
        pass
    message, hint = (
        "This notebook uses no device {name}.",
        "Choose cpu or, once CUDA is used, cuda:0.",
    )
    raise NotFound("unknown_device", message, hint, name=name)


def fullest_device() -> str | None:
    """Return the GPU on which torch holds the most memory: which one is the current one differs between threads."""
    cuda = started_cuda(loaded_torch())
    if cuda is None:
        return None
    return f"cuda:{max(range(cuda.device_count()), key=cuda.memory_reserved)}"


def size_of(storage: Storage, state: Allocator) -> int:
    """Return the bytes that a storage takes from its allocator, which may round them up."""
    block = state.blocks.get(storage.address)
    return storage.bytes if block is None else block[0]


def _search(walk: Walk, notebook: Notebook) -> None:
    """Search from everything that a notebook has, then for what no name reaches."""
    walk.search("variable", notebook.variables())
    if not walk.pace.in_slices:  # the thread of the cells
        walk.search("variable", list(notebook.running_locals(of_libraries=True)))
    walk.search("exception", [("", each.value) for each in notebook.exceptions()])
    walk.search("history", [(each.name, each.content) for each in notebook.history()])
    if not walk.pace.reads_everything and (
        len(walk.objects) > MOST_OBJECTS_IN_SLICES
        or walk.storages.listing_seconds > LONGEST_LISTING_SECONDS
    ):
        walk.is_complete = False
        return
    strays, stray_bytes = _strays(walk)
    names = [""] * len(strays)
    if stray_bytes > NEGLIGIBLE_RATIO * sum(each.bytes for each in walk.parts()):
        names = names_of_holders(strays, [strays, walk.objects, walk.graphs.nodes])
    walk.search("other", zip(names, strays, strict=True))


def _strays(walk: Walk) -> tuple[list[Any], int]:
    """Return the live tensors that were not found, the largest first, and their bytes."""
    found = {part.address for part in walk.parts()}
    live = walk.storages.live_tensors(walk.look_at_all)
    unseen = [each for each in live if walk.place_of(id(each)) is None]
    parts: list[tuple[list[Storage], Any]] = []
    for first in range(0, len(unseen), TENSORS_AT_ONCE):
        some = unseen[first : first + TENSORS_AT_ONCE]
        parts += zip(walk.storages_of(some), some, strict=True)
        walk.pace.pause()
    sizes = [
        (sum(part.bytes for part in of_one), each)
        for of_one, each in parts
        if not found.issuperset(part.address for part in of_one)
    ]
    sizes.sort(key=lambda pair: -pair[0])
    return [each for _, each in sizes], sum(size for size, _ in sizes)


def _addresses(walk: Walk, device: str) -> set[int]:
    return {part.address for part in walk.parts() if part.device == device}


def _notes(walk: Walk) -> list[str]:
    notes: list[str] = []
    if walk.graphs.hidden_count:
        notes.append(Message("This torch does not show what graphs keep; use a newer version."))
    if not walk.is_complete:
        notes.append(Message("The notebook has too many objects: some were not searched."))
    if not walk.could_read:
        notes.append(
            Message("The cell runs a long call: gradients and graphs were not searched to the end.")
        )
    return notes


def _empty_report() -> MemoryReport:
    return MemoryReport(
        device="cpu",
        allocated_bytes=0.0,
        reserved_bytes=None,
        free_bytes=None,
        total_bytes=None,
        attributed_ratio=None,
        owners=[],
        notes=[Message("torch is not imported yet.")],
    )
