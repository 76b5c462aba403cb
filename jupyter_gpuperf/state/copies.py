"""Decide which memory is copied and which is only checked: code may read far more data than it changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.loaders.randomness import cuda_in_use
from jupyter_gpuperf.measure.resources import available_memory_bytes
from jupyter_gpuperf.state.reached import Reached

WITHOUT_MEMORY: Final = frozenset({"FakeTensor", "FunctionalTensor", "UninitializedTensorMixin"})
"""Names of torch's classes of tensors that have no contents."""
LARGE_BYTES: Final = 256 * 2**20
"""Data larger than this is not copied but checked for changes: code usually only reads it."""
MOST_BYTES: Final = 512 * 2**20
"""Copy at most this much data in host memory: it is restored repeatedly, and more would take too long."""
HOST_SHARE: Final = 0.8


@dataclass(slots=True)
class CopyPlan:
    """The memory that is copied.

    Attributes
    ----------
    memory
        Keys of the copied memory, from :func:`memory_key`.
    sizes_bytes
        Device type → bytes of the copies.
    """

    memory: set[object] = field(default_factory=set)
    sizes_bytes: Counter[str] = field(default_factory=Counter)

    def add(self, key: object, device: str, size_bytes: int) -> None:
        """Add a piece of memory, unless it was already added."""
        if key not in self.memory:
            self.memory.add(key)
            self.sizes_bytes[device] += size_bytes

    def fit_on_gpu(self, torch: Any) -> bool:
        """Return whether copies of GPU tensors fit into free GPU memory and leave as much again for the steps."""
        if not cuda_in_use(torch):
            return True
        return bool(2 * self.sizes_bytes["cuda"] <= torch.cuda.mem_get_info()[0])

    def check_host_memory(self, *, on_host: bool) -> None:
        """Refuse a snapshot that does not fit into host memory.

        Raises
        ------
        GpuPerfError
            ``snapshot_too_large``.
        """
        sizes = self.sizes_bytes.items()
        needed = sum(size for device, size in sizes if on_host or device != "cuda")
        free = available_memory_bytes()
        if free is not None and needed > HOST_SHARE * free:
            raise GpuPerfError(
                "snapshot_too_large",
                "Saving the notebook's state takes {needed:.1f} GiB; {free:.1f} GiB are free.",
                "Delete unneeded variables, or use a smaller model of the same kind.",
                needed=needed / 2**30,
                free=free / 2**30,
            )


def plan_copies(reached: Reached) -> CopyPlan:
    """Choose what to copy: parameters, buffers, gradients and optimizer state of any size, and other small data."""
    copies, always = CopyPlan(), frozenset(map(id, _model_state(reached)))
    data: list[tuple[object, str, int]] = []
    for each in (tensor for _, tensor in reached.tensors if is_plain(tensor)):
        data.append((memory_key(each), each.device.type, each.untyped_storage().nbytes()))
        if id(each) in always or each.requires_grad:
            copies.add(*data[-1])
        if each.is_leaf and each.grad is not None and is_plain(each.grad):
            copies.add(id(each), each.device.type, each.grad.nbytes)
    # An array's own memory may be protected now, and not in another snapshot.
    arrays = [each for _, each in reached.arrays if each.flags.writeable or each.flags.owndata]
    data += [(id(each), "cpu", each.nbytes) for each in arrays]
    data_bytes = 0
    for key, device, size_bytes in data:
        in_all = data_bytes + (size_bytes if device == "cpu" else 0)
        if key not in copies.memory and size_bytes <= LARGE_BYTES and in_all <= MOST_BYTES:
            data_bytes = in_all
            copies.add(key, device, size_bytes)
    return copies


def memory_key(each: Any) -> object:
    """Return a key that identifies the memory of a tensor or an array; for an array, its ``id``."""
    if not hasattr(each, "untyped_storage"):
        return id(each)
    storage = each.untyped_storage()
    return str(storage.device), storage.data_ptr()


def is_plain(tensor: Any) -> bool:
    """Return whether a tensor is one piece of real memory: not sparse, nested, sharded, fake or on the meta device."""
    made_of_others = hasattr(tensor, "__tensor_flatten__")  # such as a DTensor
    if made_of_others or tensor.is_nested or str(tensor.layout) != "torch.strided":
        return False
    kinds = {each.__name__ for each in type(tensor).__mro__}
    if tensor.device.type == "meta" or not WITHOUT_MEMORY.isdisjoint(kinds):
        return False
    try:
        tensor.untyped_storage().data_ptr()
    except Exception:  # a subclass without memory of its own  # noqa: BLE001
        return False
    return True


def _model_state(reached: Reached) -> Iterator[Any]:
    for _, module in reached.modules:
        yield from module.parameters(recurse=False)
        yield from module.buffers(recurse=False)
    for _, optimizer in reached.optimizers:
        for state in optimizer.state.values():
            yield from (each for each in dict(state).values() if hasattr(each, "untyped_storage"))
