"""A call as a CUDA graph: what it takes when the host queues all of it at once.

Of work whose kernels are shorter than the host takes to launch them, this is what the device could do.
Standard library only at module level.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

WARM_CALLS: Final = 3
"""On a side stream, as capturing wants it: what is allocated or chosen lazily must be there before."""


def captured(call: Callable[[], object], device: Any) -> Callable[[], object] | None:
    """Return a function that replays ``call``; ``None`` where it can't be captured, as with code that synchronises.

    The call must always work on the same memory.
    """
    import torch

    graph = torch.cuda.CUDAGraph()
    side = torch.cuda.Stream(device)
    side.wait_stream(torch.cuda.current_stream(device))
    try:
        with torch.cuda.stream(side):
            for _ in range(WARM_CALLS):
                call()
        torch.cuda.current_stream(device).wait_stream(side)
        with torch.cuda.graph(graph):
            call()
    except RuntimeError:
        return None
    replay: Callable[[], object] = graph.replay
    return replay
