"""One rank of a plain loop of all-reduces: ``python plain_allreduce.py TASK``, the task as JSON.

What anybody would write to measure it; rank 0 prints the seconds of a call, by size.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent)]
REPETITIONS = 10
CALLS = {True: 20, False: 3}
"""In one repetition: of small messages, and of large ones."""
SMALL_BYTES = 64 << 20


def main() -> None:
    """Measure all sizes."""
    task = json.loads(sys.argv[1])
    from lifeline import end_with_parent, join, say

    end_with_parent()
    import torch

    device = join(task, torch)

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize()

    for size_bytes in task["sizes_bytes"]:
        values = torch.zeros(size_bytes // 4, device=device)
        calls = CALLS[size_bytes <= SMALL_BYTES]
        found = []
        for repetition in range(REPETITIONS + 2):
            torch.distributed.barrier()
            wait()
            began = time.perf_counter()
            for _ in range(calls):
                torch.distributed.all_reduce(values)
            wait()
            if repetition >= 2:
                found.append((time.perf_counter() - began) / calls)
        if task["rank"] == 0:
            say(json.dumps({"size_bytes": size_bytes, "seconds": statistics.median(found)}))
        del values
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
