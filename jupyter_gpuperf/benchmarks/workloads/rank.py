"""One rank of the all-reduce benchmark: ``python rank.py`` reads its task as a line of JSON from standard input.

It runs in the benchmark's own interpreter. Rank 0 prints one line of JSON per message size: for each repetition, the
seconds of the slowest rank. A rank exits when its standard input is closed, so it does not outlive the benchmark.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import Any

WARM_UP_CALLS = 3
BLOCK_SECONDS = 0.05
"""Intended time of a repetition, which makes as many calls as fit into it, from 1 to ``MOST_CALLS``."""
MOST_CALLS = 200


def main() -> None:
    """Join the process group and measure all message sizes."""
    task = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    del sys.path[0]  # the folder of this file: its files must not shadow other modules
    import torch
    from torch import distributed

    rank, cuda = task["rank"], task["backend"] == "nccl"
    device = torch.device("cuda", rank) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    distributed.init_process_group(
        task["backend"],
        init_method=f"file://{task['rendezvous_file']}",
        rank=rank,
        world_size=task["processes"],
        **({"device_id": device} if cuda else {}),
    )
    try:
        for size_bytes in task["sizes_bytes"]:
            seconds = _measure(torch, device, size_bytes, task["seconds_per_size"])
            if rank == 0:
                print(json.dumps({"size_bytes": size_bytes, "seconds": seconds}), flush=True)  # noqa: T201
    finally:
        distributed.destroy_process_group()


def _measure(torch: Any, device: Any, size_bytes: int, limit_seconds: float) -> list[float]:
    """Return the seconds per all-reduce, one sample per repetition. All ranks make the same number of calls."""
    distributed = torch.distributed
    values = torch.ones(size_bytes // 4, device=device)

    def reduce(calls: int) -> float:
        distributed.barrier()
        _synchronize(torch, device)
        began = time.perf_counter()
        for _ in range(calls):
            distributed.all_reduce(values, op=distributed.ReduceOp.MAX)  # a sum would overflow
        _synchronize(torch, device)
        # Use the slowest rank's time: in training, the others wait for it too.
        slowest = torch.tensor([(time.perf_counter() - began) / calls], device=device)
        distributed.all_reduce(slowest, op=distributed.ReduceOp.MAX)
        return float(slowest.item())

    estimate = min(reduce(1) for _ in range(WARM_UP_CALLS))
    calls = max(1, min(MOST_CALLS, int(BLOCK_SECONDS / max(estimate, 1e-6))))
    repetitions = max(8, min(100, int(limit_seconds / max(calls * estimate, 1e-6))))
    return [reduce(calls) for _ in range(repetitions)]


def _synchronize(torch: Any, device: Any) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _end_with_parent() -> None:
    while sys.stdin.readline():
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
