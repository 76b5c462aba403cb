"""Read a device's peak memory, and leave its allocator as the notebook had it.

torch has one peak counter for each device, and it can only be reset. So the notebook's peak is read first and, at the
end, reached again by an allocation that is freed at once.
"""

from __future__ import annotations

import contextlib
import gc
import traceback
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.state.interrupts import run_afterwards

OUT_OF_MEMORY_TEXTS: Final = (
    *("out of memory", "DefaultCPUAllocator", "CUBLAS_STATUS_ALLOC_FAILED"),
    "CUDNN_STATUS_ALLOC_FAILED",
)
"""What libraries say instead of raising torch's own class."""
LARGE_UNIT: Final = 2 * 2**20
"""torch's allocator asks the driver for multiples of this."""
SMALL_BYTES: Final = 2**19
"""Requests of this size come from small blocks, which are split exactly."""


class Peak(NamedTuple):
    """The highest values since the last reset, in bytes."""

    allocated: float
    reserved: float


class HostMeter:
    """The meter of a CPU, where memory is not measured."""

    device = "cpu"
    measures = False

    @contextlib.contextmanager
    def counters_kept(self) -> Iterator[None]:
        """Leave nothing behind in the device's memory, and the notebook's own peak counter as it was."""
        yield

    def settle(self) -> None:
        """Collect garbage, and return unused memory to the device."""
        gc.collect()
        self.return_cache()

    def return_cache(self) -> None:
        """Wait for the device, and return unused memory to it."""

    def begin(self) -> None:
        """Begin to measure a peak."""

    def peak(self) -> Peak | None:
        """Return the peak since :meth:`begin`; ``None`` where memory is not measured."""
        return None

    def held_bytes(self) -> float | None:
        """Return what is allocated now; ``None`` where memory is not measured."""
        return None

    def limit_bytes(self) -> float | None:
        """Return what torch could reserve at most; ``None`` where memory is not measured."""
        return None

    def out_of_memory_count(self) -> int:
        """Return how often memory ran out in this process, caught by the step or not."""
        return 0

    @property
    def notes(self) -> list[Message]:
        """Sentences about what was not kept."""
        return []


class CudaMeter(HostMeter):
    """The meter of a CUDA device.

    Parameters
    ----------
    device
        A ``torch.device`` with an index.
    others
        The names of all CUDA devices that the step uses.
    """

    measures = True

    def __init__(self, torch: Any, device: Any, others: Iterable[str] = ()) -> None:
        self._torch, self._cuda, self._device = torch, torch.cuda, device
        self.device = str(device)
        self._notes: list[Message] = []
        if others := set(others) - {self.device}:
            text = (
                "The models are on several GPUs; memory is measured on {device}, not on {others}."
            )
            self._notes.append(Message(text, device=self.device, others=sorted(others)))

    @contextlib.contextmanager
    def counters_kept(self) -> Iterator[None]:
        """Leave nothing behind in the device's memory, and the notebook's own peak counter as it was."""
        held = self._cuda.memory_allocated(self._device)
        peak = self._cuda.max_memory_allocated(self._device)

        def leave_as_found() -> None:
            self.settle()
            if self._cuda.memory_allocated(self._device) > held:
                self._clear_workspaces()
            self._cuda.reset_peak_memory_stats(self._device)
            self._reach(peak)
            self.return_cache()
            with contextlib.suppress(AttributeError):  # an older torch keeps what was pinned
                self._torch._C._host_emptyCache()

        with run_afterwards(leave_as_found):
            yield

    def return_cache(self) -> None:
        """Wait for the device, and return unused memory to it."""
        self._cuda.synchronize(self._device)
        self._cuda.empty_cache()

    def begin(self) -> None:
        """Begin to measure a peak."""
        self._cuda.reset_peak_memory_stats(self._device)

    def peak(self) -> Peak:
        """Return the peak since :meth:`begin`."""
        cuda, device = self._cuda, self._device
        return Peak(
            float(cuda.max_memory_allocated(device)), float(cuda.max_memory_reserved(device))
        )

    def held_bytes(self) -> float:
        """Return what is allocated now."""
        return float(self._cuda.memory_allocated(self._device))

    def limit_bytes(self) -> float:
        """Return what torch could reserve at most: what is free, and what it has. Other processes have the rest."""
        free, total = self._cuda.mem_get_info(self._device)
        limit = float(free + self._cuda.memory_reserved(self._device))
        with contextlib.suppress(AttributeError):  # an older torch does not tell
            limit = min(limit, total * self._cuda.get_per_process_memory_fraction(self._device))
        return limit

    def out_of_memory_count(self) -> int:
        """Return how often memory ran out in this process, caught by the step or not."""
        return int(self._cuda.memory_stats(self._device).get("num_ooms", 0))

    @property
    def notes(self) -> list[Message]:
        """Sentences about what was not kept."""
        return self._notes

    def _clear_workspaces(self) -> None:
        """Free what cuBLAS keeps between calls; it allocates that again when it is used."""
        with contextlib.suppress(AttributeError):
            self._torch._C._cuda_clearCublasWorkspaces()

    def _reach(self, peak: float) -> None:
        held: list[Any] = []
        try:
            while (missing := peak - self._cuda.memory_allocated(self._device)) > 0:
                held.append(self._empty(_exact_size(missing)))
                if peak - self._cuda.memory_allocated(self._device) == missing:
                    break  # an allocator of the user's own that does not count
        except Exception as error:
            if not is_out_of_memory(self._torch, error):
                raise
            forget(error)
            text = "torch.cuda.max_memory_allocated() is lower than before: so much can't be allocated at once now."
            self._notes.append(Message(text))
        finally:
            held.clear()

    def _empty(self, size: int) -> Any:
        return self._torch.empty(size, dtype=self._torch.uint8, device=self._device)


def _exact_size(missing: float) -> int:
    """Return the size of a request that surely takes a block of at most ``missing`` bytes."""
    if missing <= 2 * LARGE_UNIT:
        return min(int(missing), SMALL_BYTES)
    # The allocator does not split a remainder of up to 1 MiB from a large block.
    return (int(missing) - LARGE_UNIT) // LARGE_UNIT * LARGE_UNIT


def is_out_of_memory(torch: Any, error: BaseException) -> bool:
    """Return whether memory ran out, as torch, cuBLAS, cuDNN or the host's allocator says it."""
    kind = getattr(torch, "OutOfMemoryError", None) or torch.cuda.OutOfMemoryError
    if isinstance(error, (kind, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(
        each in str(error) for each in OUT_OF_MEMORY_TEXTS
    )


def forget(error: BaseException) -> None:
    """Drop what an error keeps alive: the variables of the functions that it left, also of the errors before it."""
    waiting, seen = [error], set[int]()
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        traceback.clear_frames(each.__traceback__)
        each.__traceback__ = None
        waiting += filter(None, [each.__cause__, each.__context__])
