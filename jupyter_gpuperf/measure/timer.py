"""Time a call on a device: with CUDA events on a GPU, with the wall clock on a CPU.

At module level, this module imports only the standard library.
"""

from __future__ import annotations

import functools
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from jupyter_gpuperf.measure.statistics import median_interval
from jupyter_gpuperf.measure.stopping import StopRule

WARM_UP_SECONDS: Final = 1.0
LONGEST_WARM_UP_SECONDS: Final = 5.0
SETTLED_RATIO: Final = 0.02
"""The warm-up ends when the median time changes by no more than this share."""
BLOCK_SECONDS: Final = 0.002
"""Minimum length of a block on a GPU: 4000 times the resolution of a CUDA event (0.5 µs)."""
LAUNCH_CALLS: Final = 20
"""Number of calls for timing the host. With more, the device's queue could fill up and block the host."""
GRAPH_BLOCKS: Final = 20
GRAPH_WARM_CALLS: Final = 3
"""Number of calls on a side stream before capture. CUDA graphs require this, so that lazy allocations and algorithm
choices are made before the capture."""
UNKNOWN_CACHE_BYTES: Final = 256 << 20
"""Cache size when torch does not report it: larger than that of any chip so far."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """The result of timing a call.

    Parameters
    ----------
    call_seconds
        Seconds per call, one sample per block; on a GPU, measured by the device.
    launch_seconds
        On a GPU, the seconds that the host needs to queue one call; empty on a CPU.
    doubt
        A warning if the interval is wider than requested, otherwise ``None``.
    graph_seconds
        Seconds per call when it is replayed as a CUDA graph. Empty if this was not requested, or if the call was not
        launch-bound or could not be captured.
    """

    call_seconds: list[float]
    launch_seconds: list[float]
    doubt: str | None
    graph_seconds: list[float] = field(default_factory=list)

    @property
    def launch_bound(self) -> bool:
        """Whether the device waits for the host, because it computes faster than the host queues work."""
        if not self.launch_seconds:
            return False
        return statistics.median(self.launch_seconds) > 0.8 * statistics.median(self.call_seconds)


def time_call(
    call: Callable[[], object],
    *,
    device: Any,  # a torch.device
    target_ratio: float,
    limit_seconds: float,
    progress: Callable[[float, float], None],
    flush: Callable[[], object] | None = None,
    graph: bool = False,
) -> Timing:
    """Time ``call`` until the interval of its median is narrow enough, or ``limit_seconds`` have passed.

    Parameters
    ----------
    target_ratio
        The half-width of the interval, as a share of the median, at which timing stops.
    progress
        Called with a ratio from 0 to 1 and the median seconds so far.
    flush
        Called before each call, outside the timed part, to empty the device's cache; see :func:`flusher`.
    graph
        Whether to time a launch-bound call also as a CUDA graph. The call must always use the same memory.
    """
    time_block = block_timer(call, device, flush)
    estimate_seconds = _warm_up(time_block)
    calls = 1
    if device.type == "cuda":
        calls = max(1, math.ceil(BLOCK_SECONDS / max(estimate_seconds, 1e-9)))
    rule = StopRule(
        target_ratio=target_ratio, limit_seconds=limit_seconds, interval_of=median_interval
    )
    rule.run(
        lambda: time_block(calls), lambda ratio, blocks: progress(ratio, statistics.median(blocks))
    )
    launches = _launch_seconds(call, device) if device.type == "cuda" else []
    timing = Timing(call_seconds=rule.blocks, launch_seconds=launches, doubt=rule.doubt())
    if graph and timing.launch_bound:
        timing.graph_seconds.extend(_graph_seconds(call, device))
    return timing


def block_timer(
    call: Callable[[], object],
    device: Any,  # a torch.device
    flush: Callable[[], object] | None = None,
) -> Callable[[int], float]:
    """Return a function that makes the given number of calls and returns the mean seconds per call.

    With ``flush``, which empties the device's cache, each call is timed separately, without the flush.
    """
    if device.type != "cuda":
        return _wall_block(call)
    return _cuda_block(call, device) if flush is None else _cold_cuda_block(call, device, flush)


def flusher(torch: Any, device: Any) -> Callable[[], object]:
    """Return a function that empties the device's cache, by queueing a write of twice the cache's size."""
    properties = torch.cuda.get_device_properties(device)
    cache_bytes = getattr(properties, "L2_cache_size", 0) or UNKNOWN_CACHE_BYTES
    buffer = torch.empty(2 * cache_bytes, dtype=torch.int8, device=device)
    return lambda: buffer.zero_()


def warmed_up_timer(call: Callable[[], object], device: Any, calls: int = 3) -> Callable[[], float]:
    """Make ``calls`` calls to warm up or compile, and return a function that returns the seconds of one call."""
    time_block = block_timer(call, device)
    time_block(calls)
    return lambda: time_block(1)


def _warm_up(time_block: Callable[[int], float]) -> float:
    """Make calls for one to five seconds, until their times no longer change; return the seconds per call."""
    began = time.perf_counter()
    seconds: list[float] = []
    while True:
        seconds.append(time_block(1))
        waited = time.perf_counter() - began
        if waited >= LONGEST_WARM_UP_SECONDS:
            break
        if waited >= WARM_UP_SECONDS and len(seconds) >= 6:
            half = len(seconds) // 2
            earlier = statistics.median(seconds[half // 2 : half])
            later = statistics.median(seconds[half:])
            if abs(later - earlier) <= SETTLED_RATIO * later:
                break
    return statistics.median(seconds[len(seconds) // 2 :])


def _wall_block(call: Callable[[], object]) -> Callable[[int], float]:
    def time_block(calls: int) -> float:
        began = time.perf_counter()
        for _ in range(calls):
            call()
        return (time.perf_counter() - began) / calls

    return time_block


def _cuda_block(call: Callable[[], object], device: Any) -> Callable[[int], float]:
    import torch

    start = torch.cuda.Event(enable_timing=True)
    end = torch.cuda.Event(enable_timing=True)

    def time_block(calls: int) -> float:
        torch.cuda.synchronize(device)
        start.record()
        for _ in range(calls):
            call()
        end.record()
        end.synchronize()
        return float(start.elapsed_time(end)) / 1000 / calls

    return time_block


def _cold_cuda_block(
    call: Callable[[], object], device: Any, flush: Callable[[], object]
) -> Callable[[int], float]:
    import torch

    def time_block(calls: int) -> float:
        event = functools.partial(torch.cuda.Event, enable_timing=True)
        pairs = [(event(), event()) for _ in range(max(1, calls))]
        torch.cuda.synchronize(device)
        for start, end in pairs:
            flush()
            start.record()
            call()
            end.record()
        torch.cuda.synchronize(device)
        return statistics.fmean(start.elapsed_time(end) / 1000 for start, end in pairs)

    return time_block


def _graph_seconds(call: Callable[[], object], device: Any) -> list[float]:
    replay = _captured(call, device)
    if replay is None:
        return []
    time_block = _cuda_block(replay, device)
    calls = max(1, math.ceil(BLOCK_SECONDS / max(time_block(1), 1e-9)))
    return [time_block(calls) for _ in range(GRAPH_BLOCKS)]


def _captured(call: Callable[[], object], device: Any) -> Callable[[], object] | None:
    """Return a function that replays ``call`` as a CUDA graph.

    ``None`` if the call can't be captured, for example because it synchronizes. The call must always use the same
    memory.
    """
    import torch

    graph = torch.cuda.CUDAGraph()
    side = torch.cuda.Stream(device)
    side.wait_stream(torch.cuda.current_stream(device))
    try:
        with torch.cuda.stream(side):
            for _ in range(GRAPH_WARM_CALLS):
                call()
        torch.cuda.current_stream(device).wait_stream(side)
        with torch.cuda.graph(graph):
            call()
    except RuntimeError:
        return None
    replay: Callable[[], object] = graph.replay
    return replay


def _launch_seconds(call: Callable[[], object], device: Any) -> list[float]:
    import torch

    samples = []
    queue = _wall_block(call)
    for _ in range(LAUNCH_CALLS):
        torch.cuda.synchronize(device)
        samples.append(queue(1))
    torch.cuda.synchronize(device)
    return samples
