"""What torch's allocator and the driver say of a CUDA device. Nothing here waits for the device.

Beside code that runs, CUDA itself is not asked: a call from another thread may break the capture of a graph.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from jupyter_gpuperf.device_memory.no_torch import NO_TORCH
from jupyter_gpuperf.device_memory.pace import AT_ONCE, AtOnce
from jupyter_gpuperf.measure.device import uuid_of
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.schemas.memory import MemoryOwner
from jupyter_gpuperf.schemas.readings import Readings

IN_USE: Final = ("active_allocated", "active_awaiting_free", "active_pending_free")
DEFAULT_POOL: Final = (0, 0)
MOST_BLOCKS_IN_SLICES: Final = 3_000
"""With more, describing the blocks would hold the interpreter for longer than 10 ms."""
READINGS: Final = ("memory_free_bytes", "memory_total_bytes")


@dataclass
class Allocator:
    """The allocator's state, in bytes; ``None`` where unknown, as on a CPU.

    Attributes
    ----------
    allocated
        The size of all blocks in use.
    blocks
        Address of a block in use → its size, and whether it is in a pool of CUDA graphs; empty if not read.
    """

    free: float | None = None
    total: float | None = None
    reserved: float | None = None
    largest_free_block: float | None = None
    fragmented: float | None = None
    allocated: float = 0.0
    blocks: dict[int, tuple[int, bool]] = field(default_factory=dict)

    def add(self, segment: dict[str, Any]) -> None:
        """Add a segment of torch's snapshot."""
        is_private = tuple(segment.get("segment_pool_id", DEFAULT_POOL)) != DEFAULT_POOL
        address, unused = segment["address"], []
        for block in segment["blocks"]:
            if block["state"] in IN_USE:
                self.blocks[block.get("address", address)] = (block["size"], is_private)
                self.allocated += block["size"]
            else:
                unused.append(block["size"])
            address += block["size"]
        self.reserved = (self.reserved or 0.0) + segment["total_size"]
        self.largest_free_block = max(self.largest_free_block or 0.0, *unused, 0.0)
        is_partly_used = len(unused) < len(segment["blocks"])
        self.fragmented = (self.fragmented or 0.0) + (sum(unused) if is_partly_used else 0.0)


def read_allocator(torch: Any, device: Any, pace: AtOnce = AT_ONCE) -> Allocator:
    """Return the state of a device's allocator."""
    if device.type == "cpu" or torch is NO_TORCH:
        return Allocator()
    cuda = torch.cuda
    if not pace.reads_everything:
        count = cuda.memory_stats(device).get("active.all.current", 0)
        if count > MOST_BLOCKS_IN_SLICES:
            reserved, allocated = cuda.memory_reserved(device), cuda.memory_allocated(device)
            return Allocator(reserved=float(reserved), allocated=float(allocated))
    state = Allocator(reserved=0.0, largest_free_block=0.0, fragmented=0.0)
    if not pace.in_slices and not cuda.is_current_stream_capturing():
        state.free, state.total = map(float, cuda.mem_get_info(device))
    for segment in cuda.memory_snapshot():
        if segment["device"] == device.index:
            state.add(segment)
    return state


def owners_outside(
    torch: Any, device: Any, state: Allocator, found: set[int], other_bytes: float = 0.0
) -> Iterator[MemoryOwner]:
    """Yield what belongs to no tensor: unexplained blocks, unused memory, the context and other processes.

    Parameters
    ----------
    found
        The addresses of the tensors that were found.
    other_bytes
        What other libraries of this process hold.
    """
    rest = [each for address, each in state.blocks.items() if address not in found]
    graphs = sum(size for size, is_private in rest if is_private)
    others = sum(size for size, is_private in rest if not is_private)
    yield _owner("workspace", Message("CUDA graphs"), graphs)
    yield _owner("other", Message("library workspaces, or tensors of C++ code"), others)
    yield _owner(
        "cache", Message("unused, kept by torch"), (state.reserved or 0.0) - state.allocated
    )
    processes, readings = _from_driver(torch, device)
    if state.free is None:
        free, total = (readings.get(name, "") for name in READINGS)
        state.free = None if isinstance(free, str) else free
        state.total = None if isinstance(total, str) else total
    yield from (_owner("process", name, size) for name, size in processes or ())
    if state.total is not None and state.free is not None:
        elsewhere = sum(size for _, size in processes or ())
        name = Message("CUDA context and libraries")
        if processes is None:
            name = Message("CUDA context, libraries, and other processes")
        used = state.total - state.free
        yield _owner(
            "context", name, max(0.0, used - (state.reserved or 0.0) - other_bytes - elsewhere)
        )


def _owner(kind: str, name: str, size: float) -> MemoryOwner:
    return MemoryOwner(kind=kind, name=name, bytes=size, holders=[])


def _from_driver(torch: Any, device: Any) -> tuple[list[tuple[str, float]] | None, Readings]:
    """Return the device's other processes, as the driver lists them, and its readings.

    The processes are ``None`` in a container, where it is unknown which of them is this one.
    """
    from jupyter_gpuperf.metrics.memory import METRICS
    from jupyter_gpuperf.processes.process_table import ProcessTable
    from jupyter_gpuperf.sources.nvml import NvmlDriver

    driver = NvmlDriver(tuple(each for each in METRICS if each.name in READINGS))
    table, uuid = ProcessTable(), uuid_of(torch, device) or ""
    driver.open()
    try:
        readings = driver.read().get(uuid, {})
        listed = "" if table.is_nested else driver.read_processes().get(uuid, "")
    finally:
        driver.close()
    if isinstance(listed, str):
        return None, readings
    return [
        (f"{table.describe(each.pid).command or ''} ({each.pid})", float(each.memory_used_bytes))
        for each in listed
        if each.pid != os.getpid() and not isinstance(each.memory_used_bytes, str)
    ], readings
