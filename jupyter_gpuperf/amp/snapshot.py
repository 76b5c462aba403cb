"""The state of everything that a cell can reach, kept and put back: in place, jointly, into the same memory.

Copies of models would not do: functions defined earlier go on using the old ones, and an optimizer's link to its
parameters breaks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from types import MappingProxyType
from typing import Any, Final

from jupyter_gpuperf.amp.heap import Heap, walk
from jupyter_gpuperf.amp.objects import Attributes, Containers, Names
from jupyter_gpuperf.amp.randomness import Randomness, cuda_in_use
from jupyter_gpuperf.amp.switches import Switches
from jupyter_gpuperf.amp.tensors import Tensors, copied_bytes
from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.measure.resources import available_memory_bytes

HOST_SHARE: Final = 0.8
LARGE_ARRAY_BYTES: Final = 256 * 2**20


class Snapshot:
    """The state at one moment.

    Parameters
    ----------
    namespace
        The notebook's names.
    hidden
        Names that are the shell's own.
    roots
        What is reached besides the names: a function with its closure, or the object that a method is of.
    on_host
        Whether copies of a GPU's tensors lie in the host's memory.
    """

    def __init__(
        self,
        torch: Any,
        namespace: MutableMapping[str, Any],
        *,
        hidden: frozenset[str] = frozenset(),
        roots: Mapping[str, Any] = MappingProxyType({}),
        passed_over: Iterable[Any] = (),
        on_host: bool = False,
    ) -> None:
        visible = {name: value for name, value in namespace.items() if name not in hidden}
        self.heap = walk(torch, {**visible, **roots}, namespace, frozenset(map(id, passed_over)))
        self.on_host = on_host
        always = always_kept(self.heap)
        _refuse_what_does_not_fit(torch, self.heap, always, on_host)
        self._tensors = Tensors(torch, self.heap.tensors, always=always, on_host=on_host)
        self._arrays = Arrays(self.heap.arrays)
        self._names = Names(namespace, hidden)
        self._containers = Containers(self.heap.containers)
        self._attributes = Attributes(self.heap.objects, self.heap.cells)
        self._switches = Switches(torch)
        self._files = [
            (file, file.tell())
            for _, file in self.heap.files
            if not file.closed and file.seekable()
        ]
        self.randomness = Randomness(torch, self.heap.generators)

    def restore(self) -> None:
        """Put everything back, and let go of what came since."""
        self._names.restore()
        self.restore_contents()
        self._switches.restore()
        for file, place in self._files:
            if not file.closed:
                file.seek(place)
        self.randomness.restore()

    def restore_contents(self) -> None:
        """Put back what tensors, arrays and containers hold, and nothing of the process."""
        self._attributes.restore()
        self._containers.restore()
        self._tensors.restore()
        self._arrays.restore()

    @property
    def not_restored(self) -> list[str]:
        """What could not be kept, or was changed without a copy of it, by path."""
        return [
            *self._tensors.not_kept,
            *self._tensors.changed_unkept(),
            *self._arrays.changed_unkept(),
            *self._attributes.not_restored,
        ]


class Arrays:
    """What NumPy arrays held; large ones are watched."""

    def __init__(self, arrays: Iterable[tuple[str, Any]]) -> None:
        self._kept: list[tuple[Any, Any]] = []
        self._watched: list[tuple[str, Any, int]] = []
        for path, array in arrays:
            if array.nbytes > LARGE_ARRAY_BYTES:
                self._watched.append((path, array, _fingerprint(array)))
            elif array.flags.writeable:
                self._kept.append((array, array.copy()))

    def restore(self) -> None:
        """Put the contents back."""
        for array, before in self._kept:
            if array.shape == before.shape and array.flags.writeable:
                array[...] = before

    def changed_unkept(self) -> list[str]:
        """Return the paths of large arrays that were written meanwhile."""
        return [path for path, array, before in self._watched if _fingerprint(array) != before]


def _fingerprint(array: Any) -> int:
    step = max(1, array.size // 65_536)
    return hash(
        array.reshape(-1)[::step].tobytes()
        if array.flags.c_contiguous
        else array.flat[::step].tobytes()
    )


def always_kept(heap: Heap) -> frozenset[int]:
    """Return the identities of parameters, buffers and the tensors of optimizers' states."""
    tensors = [
        tensor for _, module in heap.modules for tensor in (*module.parameters(), *module.buffers())
    ]
    for _, optimizer in heap.optimizers:
        for state in optimizer.state.values():
            tensors += [each for each in dict(state).values() if hasattr(each, "untyped_storage")]
    return frozenset(map(id, tensors))


def fits_beside(
    torch: Any,
    namespace: Mapping[str, Any],
    hidden: frozenset[str],
    roots: Mapping[str, Any],
) -> bool:
    """Tell whether copies of the GPU's tensors fit into its free memory, with as much left for the steps."""
    if not cuda_in_use(torch):
        return True
    visible = {name: value for name, value in namespace.items() if name not in hidden}
    heap = walk(torch, {**visible, **roots}, namespace, frozenset())
    free = torch.cuda.mem_get_info()[0]
    return bool(2 * copied_bytes(heap.tensors, "cuda", always_kept(heap)) <= free)


def _refuse_what_does_not_fit(
    torch: Any,
    heap: Heap,
    always: frozenset[int],
    on_host: bool,
) -> None:
    needed = copied_bytes(heap.tensors, "cpu", always)
    if on_host:
        needed += copied_bytes(heap.tensors, "cuda", always)
    free = available_memory_bytes()
    if free is not None and needed > HOST_SHARE * free:
        raise GpuPerfError(
            "snapshot_too_large",
            f"Keeping this notebook's state takes {needed / 2**30:.1f} GiB, and {free / 2**30:.1f} are free.",
            "Delete what this cell does not need, or profile a smaller model of the same shape.",
        )
