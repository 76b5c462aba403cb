"""Run a cell any number of times from the same state, and leave the notebook as after one ordinary run.

The ordinary run comes first, in the user's own mode and with its output shown. The states before and after it are both
saved. All other runs start from the state before it. At the end, or after an interrupt, the state after it is restored.
"""

from __future__ import annotations

import contextlib
import math
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from jupyter_gpuperf.errors import BadRequest, GpuPerfError
from jupyter_gpuperf.loaders.randomness import cuda_in_use
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.precision.effects import names_mentioned
from jupyter_gpuperf.precision.loader_workers import end_workers_except, worker_ids
from jupyter_gpuperf.precision.mode_context import (
    CURRENT_MODE,
    CellTraits,
    RunObserver,
    mode_applied,
)
from jupyter_gpuperf.precision.profiled_code import ProfiledCode
from jupyter_gpuperf.precision.step_window import StepWindow
from jupyter_gpuperf.state.iterators import LiveIterators
from jupyter_gpuperf.state.roots import Roots
from jupyter_gpuperf.state.snapshot import StateSnapshot

CLIPPING: Final = frozenset({"clip_grad_norm_", "clip_grad_value_", "clip_grad_norm"})
ALLOCATED: Final = "allocated_bytes.all.allocated"
ANY_NUMBER: Final = sys.maxsize
REPORTED_LIBRARIES: Final = ("pandas", "h5py", "sqlite3", "polars")


def bytes_allocated_ever(torch: Any) -> Counter[str]:
    """Return each GPU's name → the bytes that this process has ever allocated on it."""
    devices = range(torch.cuda.device_count() if cuda_in_use(torch) else 0)
    return Counter(
        {f"cuda:{index}": torch.cuda.memory_stats(index).get(ALLOCATED, 0) for index in devices}
    )


class CellFailed(Exception):
    """The cell raised an exception, which is this one's ``__cause__``."""


class OutOfTime(GpuPerfError):
    """The time limit of the profile is used up."""


class ProfileSession:
    """The runs of one cell in one profile. :meth:`close` must be called in any case, and without interrupts.

    Attributes
    ----------
    warnings
        Sentences to show with the result.
    device
        Device that holds most of what the cell reaches. It is set by :meth:`ordinary_run`, like the following.
    cell_traits
        Properties of the cell on which its modes depend.
    steps_per_run
        Number of optimizer steps in one run.
    replayed
        Iterator's name → number of items that one run takes from it.
    ends_at
        Value of ``time.perf_counter()`` after which no other run begins.
    most_runs
        How many runs in a row the cell allows; :data:`ANY_NUMBER` until a run fails that others preceded.
    runs_in_row
        Number of runs begun since the state was restored.
    window
        The steps after which each run ends; ``None`` if the whole cell is run.
    """

    device: Any
    cell_traits: CellTraits
    steps_per_run: int
    replayed: Mapping[str, int]
    ends_at = math.inf
    most_runs = ANY_NUMBER
    runs_in_row = 0
    window: StepWindow | None = None

    def __init__(self, torch: Any, subject: ProfiledCode) -> None:
        self.torch, self.subject = torch, subject
        self.warnings: list[str] = []
        self._after: StateSnapshot | None = None
        self._workers: set[int | None] = set()
        self.allocated_before_bytes = 0
        if cuda_in_use(torch):
            torch.cuda.synchronize()
            torch.cuda.empty_cache()
            self.allocated_before_bytes = int(torch.cuda.memory_allocated())
        self._iterators = LiveIterators(subject.namespace, subject.hidden, self._keep)
        self.before = self._take_snapshot()
        if self.before.on_host:
            message = "State exceeds half of the free GPU memory: kept on the host (slower)."
            self.warnings.append(Message(message))
        if self.before.reached.sharded:
            path, module = self.before.reached.sharded[0]
            raise GpuPerfError(
                "sharded_model",
                "{path} is a {type}: its state is spread over processes and can't be restored.",
                "Profile the model without this wrapper, on one device.",
                path=path,
                type=type(module).__name__,
            )

    def _take_snapshot(self, *, on_host: bool | None = None) -> StateSnapshot:
        subject = self.subject
        roots = Roots.of_notebook(
            subject.namespace, hidden=subject.hidden, more=subject.roots, code=subject.code
        )
        return StateSnapshot(self.torch, roots, excluded=self._iterators.originals, on_host=on_host)

    def _keep(self, item: Any) -> Callable[[], None]:
        before = StateSnapshot(self.torch, Roots({"item": item}), on_host=self.before.on_host)
        return before.restore_contents

    def ordinary_run(self) -> None:
        """Run the cell as the user would, and save the state that it leaves.

        Raises
        ------
        CellFailed
            The cell raised; the state is as before.
        BadRequest
            ``iterator_not_replayable``: the cell advances an iterator that can't be rewound.
        """
        torch, observer = self.torch, RunObserver()
        self._iterators.install()
        allocated_before = bytes_allocated_ever(torch)
        try:
            with mode_applied(torch, CURRENT_MODE, CellTraits("cpu"), observer):
                (self.subject.first_run or self.subject.body)()
            self.synchronize()
        except Exception as error:  # the cell's own exception, reported as such
            raise CellFailed(str(error)) from error
        self.device = self._device_in_use(allocated_before)
        self.replayed = self._iterators.note_taken()
        self._iterators.remove()
        self._workers = worker_ids()
        self._after = self._take_snapshot(on_host=cuda_in_use(torch))
        if moved := self.before.advanced_iterators:
            raise BadRequest(
                "iterator_not_replayable",
                "Not profiled: the cell ran once and advanced {iterators}, which can't be rewound.",
                "Use a variable: batches = iter(loader), then next(batches).",
                iterators=moved,
            )
        self.cell_traits = self._find_traits(observer)
        self.steps_per_run = observer.step_count

    def reset(self) -> None:
        """Restore the state before the ordinary run, and rewind the iterators."""
        self.runs_in_row = 0
        self.before.restore()
        self._iterators.install(fresh=True)
        end_workers_except(self._workers)

    @contextlib.contextmanager
    def in_mode(self, mode: str, observer: RunObserver | None = None) -> Iterator[RunObserver]:
        """Restore the state before the ordinary run, and enter a mode for :meth:`run_cell` with output hidden."""
        self.reset()
        observer = RunObserver() if observer is None else observer
        observer.window = self.window
        with self.subject.quiet(), mode_applied(self.torch, mode, self.cell_traits, observer):
            yield observer

    def run_cell(self) -> None:
        """Run the cell once; must be called within :meth:`in_mode`.

        Raises
        ------
        OutOfTime
            The time limit is used up.
        """
        if time.perf_counter() >= self.ends_at:
            raise OutOfTime(
                "out_of_time", "The time limit is used up.", "Raise --time-limit-seconds."
            )
        self.runs_in_row += 1
        self._iterators.install()
        self.torch.clear_autocast_cache()  # as a hand-written loop does when it leaves autocast
        with contextlib.nullcontext() if self.window is None else self.window.cutting():
            self.subject.body()

    @property
    def can_run_again(self) -> bool:
        """Whether the cell allows another run before the state is restored."""
        return self.runs_in_row < self.most_runs

    def time_cell(self) -> float:
        """Run the cell once, wait for the device, and return the seconds it took."""
        began = time.perf_counter()
        self.run_cell()
        self.synchronize()
        return time.perf_counter() - began

    def synchronize(self) -> None:
        """Wait for the GPU, if CUDA is in use."""
        if cuda_in_use(self.torch):
            self.torch.cuda.synchronize()

    def close(self) -> None:
        """Restore the state after the ordinary run, or the state before it if the run failed."""
        self.synchronize()
        (self._after or self.before).restore()
        self._iterators.remove()
        end_workers_except(self._workers)
        if self._after is not None and (drawn := self._iterators.give_back()):
            message = "Another mode took more items from {iterators}; they were put back."
            self.warnings.append(Message(message, iterators=drawn))

    def _device_in_use(self, allocated_before: Counter[str]) -> Any:
        """Return the GPU on which the cell allocated the most memory, or that holds most of the tensors it names.

        The CPU if there is neither.
        """
        on_gpu = bytes_allocated_ever(self.torch) - allocated_before
        with self.torch._C.DisableTorchFunctionSubclass():
            for path, tensor in () if on_gpu else self.before.reached.tensors:
                if tensor.device.type == "cuda" and self._is_used(path):
                    on_gpu[str(tensor.device)] += tensor.numel()
        return self.torch.device(on_gpu.most_common(1)[0][0] if on_gpu else "cpu")

    def _is_used(self, path: str) -> bool:
        """Return whether the cell may use the object at a path; also if that can't be seen."""
        used = self.names_used()
        return not used or re.split(r"\W", path, maxsplit=1)[0] in {*used, *self.subject.roots}

    def _find_traits(self, observer: RunObserver) -> CellTraits:
        names = self.names_used()
        scalers = [each for _, each in self.before.reached.scalers if each.is_enabled()]
        optimizers = tuple(each for _, each in self.before.reached.optimizers)
        return CellTraits(
            self.device.type,
            has_scaler=bool(scalers) and "scale" in names,
            own_autocast=observer.own_autocast[0] if observer.own_autocast else None,
            clipped=optimizers if names & CLIPPING else (),
        )

    def names_used(self) -> frozenset[str]:
        """Return the names that the cell may use, directly or through functions and classes of the notebook."""
        code = self.subject.code
        return frozenset() if code is None else names_mentioned(code, self.subject.namespace)

    def models_used(self) -> list[tuple[str, Any]]:
        """Return path and model of each model that the cell names.

        Models without parameters, and models that are part of another one, are left out.
        """
        return [
            (path, module)
            for path, module in self.before.reached.root_modules()
            if self._is_used(path)
            if next(module.parameters(), None) is not None
        ]

    def not_restored(self) -> list[str]:
        """Return the paths of what could not be restored."""
        used = self.names_used()
        opaque = [
            f"{path} ({type(each).__module__.partition('.')[0]})"
            for path, each in self.before.reached.opaque
            if path in used and type(each).__module__.startswith(REPORTED_LIBRARIES)
        ]
        after = () if self._after is None else self._after.not_restored
        return [*dict.fromkeys((*self.before.not_restored, *after, *opaque))]
