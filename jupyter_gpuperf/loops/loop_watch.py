"""Watch loops in this process: all that draw from a torch DataLoader, step a torch optimizer or call a torch module, or only
those that draw from the loaders passed to :meth:`LoopWatch.watch`."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import msgspec

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.kernel_link.memory_reporter import memory_report
from jupyter_gpuperf.loaders.comparison import length_of
from jupyter_gpuperf.loops.backward_patch import BackwardPatch
from jupyter_gpuperf.loops.batch_counter import BatchCounter
from jupyter_gpuperf.loops.clock import IteratorClock, LoopClock
from jupyter_gpuperf.loops.code_events import CodeEvents
from jupyter_gpuperf.loops.flop_watch import follow_work
from jupyter_gpuperf.loops.followed_step import drop_phases
from jupyter_gpuperf.loops.function_marks import FunctionMarks
from jupyter_gpuperf.loops.growth_watch import GrowthSearch
from jupyter_gpuperf.loops.idle_timer import IdleTimer, device_in_use, keep_events_of_parent
from jupyter_gpuperf.loops.loop_clocks import LoopClocks, reference
from jupyter_gpuperf.loops.memory_reader import MemoryReader
from jupyter_gpuperf.loops.module_loops import ModuleLoops
from jupyter_gpuperf.loops.optimizer_hooks import OptimizerHooks
from jupyter_gpuperf.loops.optimizer_info import describe_optimizers
from jupyter_gpuperf.loops.optimizer_loops import OptimizerLoops
from jupyter_gpuperf.loops.patch import SLOT, Patch
from jupyter_gpuperf.loops.phase_clock import EventPool
from jupyter_gpuperf.loops.rank import give_rank
from jupyter_gpuperf.loops.stack_looks import look_at_loops
from jupyter_gpuperf.loops.step_observer import StepObserver
from jupyter_gpuperf.loops.timed_loaders import TimedIterable, TimedIterator
from jupyter_gpuperf.loops.torch_patches import TorchPatches
from jupyter_gpuperf.measure.device import uuid_of
from jupyter_gpuperf.schemas.training import BoundedBy, WatchedLoop

T = TypeVar("T")


@dataclass(eq=False)
class LoopWatch:
    """The watched loops and their clocks.

    Parameters
    ----------
    torch
        Returns the torch module, or ``None`` if the notebook has not imported it.
    name_of
        Returns the name of the notebook's variable for an optimizer or a module, or for the loader with this index
        sampler. If it returns ``None``, the name of the optimizer's, the module's or the dataset's class is used.
    arguments_of
        Returns, as code, the arguments of the notebook's DataLoader with this name; ``None`` if there is none.
    growth_search
        Takes the index of a device, and returns a new search for what is added to its memory.
    """

    torch: Callable[[], Any] = lambda: sys.modules.get("torch")
    name_of: Callable[[Any], str | None] = lambda sampler: None
    arguments_of: Callable[[str], list[str] | None] = lambda name: None
    growth_search: Callable[[int], GrowthSearch] | None = None

    def __post_init__(self) -> None:
        self.given = BatchCounter()
        self.watches_all = False
        self.observer: StepObserver | None = None
        self.patch = Patch(self._begin)
        self.loop_clocks = LoopClocks(self.given, self.arguments_of)
        self.optimizer_loops = OptimizerLoops(
            self.given, functools.partial(self._clock_of, bounded_by="optimizer")
        )
        self.optimizer_hooks = OptimizerHooks(self.optimizer_loops.stepped, self.given)
        events = CodeEvents()
        self.module_loops = ModuleLoops(
            self.given, events, functools.partial(self._clock_of, bounded_by="module")
        )
        self.patches = TorchPatches(
            *(self.patch, self.optimizer_hooks, BackwardPatch(self.given), self.module_loops)
        )
        self.function_marks = FunctionMarks(self.given, events)
        self._named: dict[int, Any] = {}

    @property
    def clocks(self) -> list[LoopClock]:
        """The clocks of all watched loops, without those that were forgotten."""
        return list(self.loop_clocks)

    def watch_everything(self) -> None:
        """Watch all loops of torch, also if it is not imported yet."""
        self.pause()
        self.watches_all = self.given.follows_phases = True
        self.patches.apply()

    def watch(self, loader: T) -> T:
        """Watch one loader. Return a torch DataLoader unchanged, and any other loader in a wrapper that times it.

        Raises
        ------
        BadRequest
            ``not_a_loader``: the object can't be iterated.
        """
        sampler = getattr(loader, "_index_sampler", None)
        if sampler is not None and _is_torchs(loader):
            self._named[id(sampler)] = reference(sampler)
            self.patch.apply()
            return loader
        if isinstance(loader, (TimedIterable, TimedIterator)):
            return loader
        if not isinstance(loader, Iterable):
            raise BadRequest(
                "not_a_loader",
                "A {type} can't be watched: it can't be iterated.",
                "Pass the DataLoader itself.",
                type=type(loader).__name__,
            )
        return cast("T", self._wrap(loader))

    def stop(self) -> None:
        """Stop watching, and restore torch's own methods."""
        self.watches_all = self.given.follows_phases = False
        self._named.clear()
        self.function_marks.choose(())
        self.patches.undo()
        self.pause()

    def pause(self) -> None:
        """Record a pause, because a cell ended or the watch was off: the time until the next batch is not a step."""
        self.given.pause()
        if self.observer is not None:
            self.observer.cell_ended()

    def observe(self, observer: StepObserver | None) -> None:
        """Have an observer look at the next loop, or none any more."""
        self.observer = observer
        self.patch.draw_batch = None if observer is None else observer.draw
        at_step_end = None if observer is None else observer.step_ended
        self.optimizer_loops.at_step_end = self.module_loops.at_step_end = at_step_end

    @contextlib.contextmanager
    def timing_suspended(self) -> Iterator[None]:
        """Within the context, don't time steps: they do not belong to the notebook's own loops."""
        drop_phases(self.given)
        try:
            with self.patches.silenced():
                yield
        finally:
            self.pause()

    def find_device(self) -> None:
        """Give each clock what reads the device in use, once the notebook uses CUDA. Create no CUDA context."""
        torch = self.torch()
        device = None if torch is None else device_in_use(torch)
        if device is None:
            return
        uuid = uuid_of(torch, device)
        for clock in self.clocks:
            if clock.error is None and (
                clock.idle_timer is None or clock.idle_timer.device != device
            ):
                clock.idle_timer = IdleTimer(torch, device)
                clock.memory_reader = MemoryReader(torch, device)
                clock.phases.pool = EventPool(torch, device)
                clock.info = msgspec.structs.replace(clock.info, device_uuid=uuid)

    def look_at_loops(self) -> None:
        """Look what the loops are doing. Call this from a thread of its own; it takes some milliseconds."""
        look_at_loops(self.given, self.torch(), self.module_loops if self.watches_all else None)
        if self.given.follows_phases:
            self.function_marks.follow(self.clocks)
            follow_work(self.given, self.torch(), self.clocks)
            describe_optimizers(self.torch(), self.clocks)

    def find_rank(self) -> None:
        """Give each clock the rank of this process, once the process has joined its process group."""
        give_rank(self.torch(), self.clocks)

    def devices(self) -> list[str]:
        """Return the UUIDs of all devices on which torch holds memory in this process."""
        return list(memory_report(self.torch()).devices)

    def forget(self) -> None:
        """Drop all loops and their steps."""
        self.loop_clocks.clear()

    def _begin(self, iterator: Any) -> IteratorClock | None:
        try:
            sampler = iterator._index_sampler
            named = self._named.get(id(sampler), lambda: None)
            if not self.watches_all and named() is not sampler:
                return None
            clock = self.loop_clocks.of(sampler, self._described(iterator, sampler))
            clock.worker_pids = tuple(worker.pid for worker in getattr(iterator, "_workers", ()))
            fresh = IteratorClock(clock, self._grad_check())
            setattr(iterator, SLOT, fresh)
            if clock.idle_timer is None:
                self.find_device()
        except Exception:  # noqa: BLE001  (an iterator with different internals stays unwatched)
            return None
        return fresh

    def _grad_check(self) -> Callable[[], bool]:
        enabled: Callable[[], bool] = getattr(self.torch(), "is_grad_enabled", lambda: True)
        return enabled

    def _clock_of(self, owner: Any, bounded_by: BoundedBy) -> LoopClock:
        """Return the clock of the loop whose steps an optimizer or a module bounds."""
        name = self.name_of(owner) or type(owner).__name__
        clock = self.loop_clocks.of(owner, WatchedLoop(id=0, name=name, bounded_by=bounded_by))
        if clock.memory_reader is None:
            self.find_device()
        return clock

    def _described(self, iterator: Any, sampler: Any) -> WatchedLoop:
        return WatchedLoop(
            id=0,
            name=self.name_of(sampler) or f"DataLoader({type(iterator._dataset).__name__})",
            batch_size=_whole(getattr(sampler, "batch_size", None)),
            batches_per_epoch=length_of(iterator),
            num_workers=_whole(getattr(iterator, "_num_workers", None)) or 0,
            prefetch_factor=_whole(getattr(iterator, "_prefetch_factor", None)),
            pin_memory=bool(getattr(iterator, "_pin_memory", False)),
            persistent_workers=bool(getattr(iterator, "_persistent_workers", False)),
        )

    def _wrap(self, loader: Any) -> Any:
        info = WatchedLoop(
            id=0,
            name=self.name_of(loader) or type(loader).__name__,
            batches_per_epoch=length_of(loader),
        )
        clock = self.loop_clocks.of_wrapped(info)

        def new_clock() -> IteratorClock:
            if clock.idle_timer is None:
                self.find_device()
            return IteratorClock(clock, self._grad_check())

        if isinstance(loader, Iterator):
            return TimedIterator(loader, new_clock())
        return TimedIterable(loader, new_clock)


def silence_in_child(watching: LoopWatch) -> None:
    """Stop timing in a forked child: its steps are not the notebook's, and no thread would report them."""
    watching.patches.silence()
    watching.module_loops.undo()
    keep_events_of_parent()
    watching.given.marks.clear()
    watching.forget()


def _is_torchs(loader: object) -> bool:
    return any(each.__module__ == "torch.utils.data.dataloader" for each in type(loader).__mro__)


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
