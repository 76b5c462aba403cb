"""Save the state of everything that code can reach, and restore it in place, into the same memory.

Working on copies of the models would not do: functions defined earlier would still use the originals, and an optimizer
would lose the link to its parameters.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable, Iterator
from typing import Any

from jupyter_gpuperf.loaders.randomness import Randomness
from jupyter_gpuperf.state.arrays import SavedArrays
from jupyter_gpuperf.state.bindings import SavedAttributes, SavedContainers, SavedNames
from jupyter_gpuperf.state.copies import plan_copies
from jupyter_gpuperf.state.interrupts import run_afterwards
from jupyter_gpuperf.state.iterators import access_to_iterator
from jupyter_gpuperf.state.process import process_state
from jupyter_gpuperf.state.reachable import reached_from
from jupyter_gpuperf.state.roots import Roots
from jupyter_gpuperf.state.switches import SavedSwitches
from jupyter_gpuperf.state.tensors import SavedTensors
from jupyter_gpuperf.state.values import SavedValues


class StateSnapshot:
    """The state at one moment. :meth:`restore` may be called any number of times.

    Parameters
    ----------
    excluded
        Objects that are not searched, such as iterators that are replayed.
    on_host
        Whether copies of GPU tensors are kept in host memory. With ``None``, only if they don't fit into GPU memory.

    Raises
    ------
    GpuPerfError
        ``namespace_too_large``, ``snapshot_too_large``.
    """

    def __init__(
        self,
        torch: Any,
        roots: Roots,
        *,
        excluded: Iterable[Any] = (),
        on_host: bool | None = None,
    ) -> None:
        self._torch = torch
        with self._plain_tensors():
            self._save(roots, excluded, on_host)

    def _save(self, roots: Roots, excluded: Iterable[Any], on_host: bool | None) -> None:
        torch = self._torch
        self.reached = reached = reached_from(torch, roots, excluded)
        copies = plan_copies(reached)
        self.on_host = not copies.fit_on_gpu(torch) if on_host is None else on_host
        copies.check_host_memory(on_host=self.on_host)
        self._tensors = SavedTensors(torch, reached.tensors, copies, on_host=self.on_host)
        self._arrays = SavedArrays(reached.arrays, copies)
        self._names = SavedNames(roots.namespace, roots.hidden, reached.globals)
        self._containers = SavedContainers(reached.containers)
        self._attributes = SavedAttributes(reached.objects, reached.cells)
        self._switches = SavedSwitches(torch)
        self._values = SavedValues((*process_state(torch), *reached.values))
        self._iterators = SavedValues(
            (path, functools.partial(access_to_iterator, each)) for path, each in reached.iterators
        )
        self.randomness = Randomness(torch, reached.generators)

    def restore(self) -> None:
        """Restore everything, and delete names that were added since."""
        with self._plain_tensors():
            self._names.restore()
            self.restore_contents()
            self._values.restore()
            self._iterators.restore()
            self._switches.restore()
            self.randomness.restore()

    def restore_contents(self) -> None:
        """Restore the contents of objects, containers, tensors and arrays, but nothing else."""
        with self._plain_tensors():
            self._attributes.restore()
            self._containers.restore()
            self._tensors.restore()
            self._arrays.restore()

    def _plain_tensors(self) -> contextlib.AbstractContextManager[Any]:
        """Return a context in which a tensor subclass can't replace what torch's functions do."""
        context: contextlib.AbstractContextManager[Any]
        context = self._torch._C.DisableTorchFunctionSubclass()
        return context

    @property
    def advanced_iterators(self) -> list[str]:
        """Paths of live iterators that have advanced since; they can't be rewound."""
        return self._iterators.changed_for_good()

    @property
    def not_restored(self) -> list[str]:
        """Paths of what could not be saved, or was changed without having been copied."""
        return [
            *self._tensors.not_restored(),
            *self._arrays.not_restored(),
            *self._attributes.not_restored,
            *self._values.not_restored,
            *self._iterators.not_restored,
        ]


@contextlib.contextmanager
def state_restored(
    torch: Any, roots: Roots, *, on_host: bool | None = None
) -> Iterator[StateSnapshot]:
    """Restore what the body changed, even if it raises."""
    snapshot = StateSnapshot(torch, roots, on_host=on_host)
    with run_afterwards(snapshot.restore):
        yield snapshot
