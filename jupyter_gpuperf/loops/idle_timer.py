"""Measure how long the GPU waits for data, with a pair of CUDA events around each wait for a batch.

The first event is recorded when the loop asks for a batch, the second when the loop has received it. The device reaches
the first event once it has finished all earlier work, so the device time between the two events is the time in which it
was idle because data was late, no matter how long the host waited. Events are read later, without waiting for them.
"""

from __future__ import annotations

import weakref
from collections import deque
from typing import Any, Final

from jupyter_gpuperf.loops.loop_stream import LoopStream
from jupyter_gpuperf.measure.device import started_cuda

MOST_PAIRS: Final = 32
"""Maximum number of event pairs: if the host is this many steps ahead of the device, further steps get no events."""

READS_PER_STEP: Final = 2
"""Maximum number of finished pairs that are read per step, so that no step is slowed down by many of them."""

Pair = tuple[Any, Any]

_holders: weakref.WeakSet[Any] = weakref.WeakSet()
_kept: list[Any] = []


class IdleTimer:
    """The event pairs on one device, recorded on the stream that the loop uses.

    Parameters
    ----------
    torch
        The torch module, with CUDA initialized.
    device
        The index of the device.
    """

    def __init__(self, torch: Any, device: int) -> None:
        self.device = device
        self.durations: deque[tuple[float, float]] = deque(maxlen=8192)
        """(idle seconds, step seconds) of each pair that the device has passed and that has been read."""
        self._new = torch.cuda.Event
        self._stream = LoopStream(torch, device)
        self._free: list[Pair] = []
        self._made: list[Pair] = []
        keep_in_children(self)
        self._pending: deque[tuple[Any, Any, float]] = deque()

    def batch_requested(self) -> Pair | None:
        """Record the first event of a pair when the loop asks for a batch; ``None`` if all pairs are in use."""
        pending = self._pending
        for _ in range(READS_PER_STEP):
            if not pending or not pending[0][1].query():
                break
            first, second, step_seconds = pending.popleft()
            self.durations.append((first.elapsed_time(second) / 1000, step_seconds))  # from ms
            self._free.append((first, second))
        pair = self._pair()
        if pair is not None:
            pair[0].record(self._stream.now())
        return pair

    def batch_received(self, pair: Pair) -> None:
        """Record the second event once the loop has its batch, on the stream of the first event."""
        pair[1].record(self._stream.stream)

    def end(self, pair: Pair, step_seconds: float) -> None:
        """End the step of a pair, which is read once the device has passed it."""
        self._pending.append((*pair, step_seconds))

    def drop(self, pair: Pair) -> None:
        """Discard the step of a pair, and reuse the pair."""
        self._free.append(pair)

    def _pair(self) -> Pair | None:
        if self._free:
            return self._free.pop()
        if len(self._made) == MOST_PAIRS:
            return None
        self._made.append((self._new(enable_timing=True), self._new(enable_timing=True)))
        return self._made[-1]


def keep_in_children(holder: object) -> None:
    """Remember an object that holds CUDA events, for :func:`keep_events_of_parent`."""
    _holders.add(holder)


def keep_events_of_parent() -> None:
    """Keep all events of the parent alive in a forked child, including those that await garbage collection.

    Releasing an event needs CUDA, which does not work in a forked process: torch would abort the process with SIGABRT.
    """
    _kept.extend(_holders)


def device_in_use(torch: Any) -> int | None:
    """Return the index of the device on which torch has allocated the most memory.

    ``None`` if torch has not allocated any. This accesses no device and creates no CUDA context.
    """
    cuda = started_cuda(torch)
    if cuda is None:
        return None
    held = [cuda.memory_allocated(index) for index in range(cuda.device_count())]
    return held.index(max(held)) if any(held) else None
