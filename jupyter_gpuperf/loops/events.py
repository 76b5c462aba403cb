"""Measure the GPU's idle time for data: a pair of CUDA events around each wait, read later, never waited for.

The first event is recorded when the loop asks for a batch, the second when it has the batch. The device reaches the
first when it has done all work before it; at once if it had run out of work. So the time between the two, on the
device, is its idle time because data was late, however long the host waited.
"""

from __future__ import annotations

import weakref
from collections import deque
from typing import Any, Final

MOST_PAIRS: Final = 32
"""How far the host may run ahead of the device, in steps; further steps get no events."""

READS_A_STEP: Final = 2
"""Finished pairs are read soon, and no step pays for many of them."""

Pair = tuple[Any, Any]

_idle_timers: weakref.WeakSet[IdleTimer] = weakref.WeakSet()
_kept: list[IdleTimer] = []


class IdleTimer:
    """Event pairs on one device, on whatever stream the loop uses.

    Parameters
    ----------
    torch
        The module, with CUDA initialized.
    device
        The index of the device.
    """

    def __init__(self, torch: Any, device: int) -> None:
        self.device = device
        self.read: deque[tuple[float, float]] = deque(maxlen=8192)
        """(idle seconds, step seconds) of each pair that the device has passed."""
        self._new = torch.cuda.Event
        self._current_stream = torch.cuda.current_stream
        # Shows whether the stream changed, at a tenth of the cost of asking for it. Without it, every stream is new.
        self._raw_stream = getattr(torch._C, "_cuda_getCurrentRawStream", lambda device: object())
        self._raw: object = None
        self._stream: Any = None
        self._free: list[Pair] = []
        self._made: list[Pair] = []
        _idle_timers.add(self)
        self._pending: deque[tuple[Any, Any, float]] = deque()

    def batch_requested(self) -> Pair | None:
        """Record that the loop asks for a batch; ``None`` while all pairs are in use."""
        pending = self._pending
        for _ in range(READS_A_STEP):
            if not pending or not pending[0][1].query():
                break
            first, second, step_seconds = pending.popleft()
            self.read.append((first.elapsed_time(second) / 1000, step_seconds))  # it returns ms
            self._free.append((first, second))
        pair = self._pair()
        if pair is not None:
            pair[0].record(self._stream_now())
        return pair

    def batch_received(self, pair: Pair) -> None:
        """Record that the loop has its batch, on the stream that was current when it asked."""
        pair[1].record(self._stream)

    def end(self, pair: Pair, step_seconds: float) -> None:
        """End the step: its pair is read once the device has passed it."""
        self._pending.append((*pair, step_seconds))

    def drop(self, pair: Pair) -> None:
        """Discard the step."""
        self._free.append(pair)

    def _pair(self) -> Pair | None:
        if self._free:
            return self._free.pop()
        if len(self._made) == MOST_PAIRS:
            return None
        self._made.append((self._new(enable_timing=True), self._new(enable_timing=True)))
        return self._made[-1]

    def _stream_now(self) -> Any:
        raw = self._raw_stream(self.device)
        if raw != self._raw:
            self._raw, self._stream = raw, self._current_stream(self.device)
        return self._stream


def keep_events_of_parent() -> None:
    """Keep all events of the parent in a forked child, including those that wait for the garbage collector.

    Releasing an event needs CUDA, which a forked process does not have: torch would end the process with SIGABRT.
    """
    _kept.extend(_idle_timers)


def device_in_use(torch: Any) -> int | None:
    """Return the index of the device on which torch holds the most memory; ``None`` before torch has used CUDA.

    Does not touch a device or create a context.
    """
    cuda = getattr(torch, "cuda", None)
    if cuda is None or not cuda.is_initialized():
        return None
    held = [cuda.memory_allocated(index) for index in range(cuda.device_count())]
    return held.index(max(held)) if any(held) else None
