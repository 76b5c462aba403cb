"""Runs a cell as often as it takes, from the same state each time, and leaves what one ordinary run leaves.

The ordinary run is the first: in the user's own mode, with its output shown. The state before it and the state after
it are both kept. Every other run starts from the first; in the end, or whenever it is interrupted, the second is back.
"""

from __future__ import annotations

import contextlib
import inspect
import signal
import threading
import time
import types
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final

from jupyter_gpuperf.amp.randomness import cuda_in_use
from jupyter_gpuperf.amp.snapshot import Snapshot, fits_beside
from jupyter_gpuperf.errors import BadRequest, GpuPerfError
from jupyter_gpuperf.precision.effects import mentioned
from jupyter_gpuperf.precision.modes import NOW, Around, Watch, applied
from jupyter_gpuperf.precision.replay import Iterators

CLIPPING: Final = frozenset({"clip_grad_norm_", "clip_grad_value_", "clip_grad_norm"})
WORTH_NAMING: Final = ("pandas", "h5py", "sqlite3", "polars")


@dataclass(kw_only=True, slots=True)
class Subject:
    """What is profiled.

    Parameters
    ----------
    body
        Runs the cell once.
    first
        The same, for the ordinary run: it may show the cell's value.
    code
        The cell's code, for the names that it may use; ``None`` where that is not known.
    hidden
        Names of the namespace that are the shell's own.
    roots
        What the body reaches besides the names.
    quiet
        Surrounds all but the ordinary run: what they print is not shown.
    """

    body: Callable[[], object]
    namespace: MutableMapping[str, Any]
    code: types.CodeType | None = None
    first: Callable[[], object] | None = None
    hidden: frozenset[str] = frozenset()
    roots: Mapping[str, Any] = field(default_factory=dict)
    quiet: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext


class CellFailed(Exception):
    """The cell raised something; that is the cause."""


@dataclass(slots=True)
class Ordinary:
    """What the ordinary run told."""

    watch: Watch
    seconds: float
    replayed: dict[str, int] = field(default_factory=dict)
    """Iterator's name → items that the run took of it."""


class Session:
    """One profile of one cell; to be closed, whatever happens.

    Attributes
    ----------
    warnings
        Sentences that go with the result.
    """

    def __init__(self, torch: Any, subject: Subject) -> None:
        self.torch, self.subject = torch, subject
        self.warnings: list[str] = []
        self._after: Snapshot | None = None
        if cuda_in_use(torch):
            torch.cuda.synchronize()
            torch.cuda.empty_cache()
        self.allocated_before_bytes = _allocated(torch)
        beside = fits_beside(torch, subject.namespace, subject.hidden, subject.roots)
        if not beside:
            self.warnings.append(
                "The state takes more than half of the GPU's free memory: it was kept in the host's, which takes longer to put back."
            )
        self._on_host = not beside
        self._iterators = Iterators(subject.namespace, subject.hidden, self._keeper())
        self.before = self._taken(on_host=self._on_host)
        _refuse_sharded(self.before)
        self._live = [(path, each, _place(each)) for path, each in self.before.heap.iterators]

    def _taken(self, *, on_host: bool) -> Snapshot:
        return Snapshot(
            self.torch,
            self.subject.namespace,
            hidden=self.subject.hidden,
            roots=self.subject.roots,
            passed_over=self._iterators.originals,
            on_host=on_host,
        )

    def _keeper(self) -> Callable[[Any], Callable[[], None]]:
        def keep(item: Any) -> Callable[[], None]:
            before = Snapshot(self.torch, {"item": item}, on_host=self._on_host)
            return before.restore_contents

        return keep

    def ordinary_run(self) -> Ordinary:
        """Run the cell as the user would, and keep what it leaves.

        Raises
        ------
        CellFailed
            It raised; the state is as before.
        """
        torch, watch = self.torch, Watch()
        self._iterators.install()
        began = time.perf_counter()
        try:
            with applied(torch, NOW, Around("cpu"), watch):
                (self.subject.first or self.subject.body)()
            self.synchronize()
        except Exception as error:  # whatever the cell raises: it is told as the cell's
            raise CellFailed(str(error)) from error
        seconds = time.perf_counter() - began
        self._iterators.note_taken()
        self._iterators.remove()
        self._after = self._taken(on_host=cuda_in_use(torch))
        self._check_repeatable()
        return Ordinary(watch=watch, seconds=seconds, replayed=dict(self._iterators.consumed()))

    def fresh(self) -> None:
        """Put the state before the ordinary run back, with iterators at their beginning."""
        self.before.restore()
        self._iterators.install(fresh=True)

    @contextlib.contextmanager
    def mode(self, mode: str, around: Around, watch: Watch | None = None) -> Iterator[Watch]:
        """Let :meth:`run` run in a mode, with nothing shown."""
        watch = Watch() if watch is None else watch
        with self.subject.quiet(), applied(self.torch, mode, around, watch):
            yield watch

    def run(self) -> None:
        """Run the cell once; to be called within :meth:`mode`."""
        self._iterators.install()
        self.torch.clear_autocast_cache()  # where a hand-written loop has left autocast
        self.subject.body()

    def synchronize(self) -> None:
        """Wait for the device."""
        if cuda_in_use(self.torch):
            self.torch.cuda.synchronize()

    def close(self) -> None:
        """Leave what one ordinary run leaves; what was before it, where there was none."""
        with uninterrupted():
            self._close()

    def _close(self) -> None:
        self.synchronize()
        if self._after is None:
            self.before.restore()
            self._iterators.remove()
            return
        self._after.restore()
        self._iterators.remove()
        drawn = self._iterators.give_back()
        if drawn:
            self.warnings.append(
                f"Another mode took more items of {', '.join(drawn)} than an ordinary run: they were put before it again."
            )

    def around(self, device_type: str, watch: Watch) -> Around:
        """Return what the modes need to know of this cell."""
        names = self.names_used()
        scalers = [each for _, each in self.before.heap.scalers if each.is_enabled()]
        optimizers = tuple(each for _, each in self.before.heap.optimizers)
        return Around(
            device_type,
            has_scaler=bool(scalers) and "scale" in names,
            own_autocast=watch.own_autocast[0] if watch.own_autocast else None,
            clipped=optimizers if names & CLIPPING else (),
        )

    def names_used(self) -> frozenset[str]:
        """Return the names that the cell and the notebook's functions behind it may use."""
        code = self.subject.code
        return frozenset() if code is None else mentioned(code, self.subject.namespace)

    def not_restored(self) -> list[str]:
        """Return what could not be put back, by path."""
        used = self.names_used()
        opaque = [
            f"{path} ({type(each).__module__.partition('.')[0]})"
            for path, each in self.before.heap.opaque
            if path in used and type(each).__module__.startswith(WORTH_NAMING)
        ]
        return [*self.before.not_restored, *opaque]

    def _check_repeatable(self) -> None:
        moved = [path for path, each, place in self._live if _place(each) != place]
        if moved:
            raise BadRequest(
                "iterator_not_replayable",
                f"The cell uses up {', '.join(moved)}, which can't be run back: it was run once, and not profiled.",
                "Bind the iterator to a name of its own, such as batches = iter(loader), and use next(batches).",
            )


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Let an interrupt wait until what runs inside is done: half a state would be the worst of all."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: waiting.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)
    if waiting:
        raise KeyboardInterrupt


def _place(iterator: Any) -> object:
    """Return how far an iterator is, as far as it tells."""
    if inspect.isgenerator(iterator):
        return None if iterator.gi_frame is None else iterator.gi_frame.f_lasti, id(iterator)
    yielded = getattr(iterator, "_num_yielded", None)  # a DataLoader's
    if yielded is not None:
        return yielded
    hint = getattr(type(iterator), "__length_hint__", None)
    return hint(iterator) if hint is not None else None


def _refuse_sharded(before: Snapshot) -> None:
    if before.heap.sharded:
        path, module = before.heap.sharded[0]
        raise GpuPerfError(
            "sharded_model",
            f"{path} is a {type(module).__name__}: its state lies on several processes, and one of them can't put it back.",
            "Profile the model without the wrapper, on one device.",
        )


def _allocated(torch: Any) -> int:
    return int(torch.cuda.memory_allocated()) if cuda_in_use(torch) else 0
