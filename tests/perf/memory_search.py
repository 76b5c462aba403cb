"""How long ``gpuperf.memory()`` takes beside a bare walk over the collector's objects, and how long code waits for the
interpreter while the panel asks for the owners.

python tests/perf/memory_search.py [--objects 1000000] [--tensors 10000] [--device cuda]
"""

from __future__ import annotations

import argparse
import gc
import threading
import time

import torch

import jupyter_gpuperf
from jupyter_gpuperf.device_memory.notebook import Notebook
from jupyter_gpuperf.device_memory.pace import InSlices
from jupyter_gpuperf.device_memory.report import memory_report


def bare_walk() -> None:
    for each in gc.get_objects():
        gc.get_referents(each)


def best_seconds(function) -> float:
    times = []
    for _ in range(3):
        began = time.thread_time()
        function()
        times.append(time.thread_time() - began)
    return min(times)


def longest_gap_seconds(function) -> float:
    """Return how long this thread, which computes, stands still at most while another one runs the function."""
    thread = threading.Thread(target=function)
    thread.start()
    longest, last = 0.0, time.perf_counter()
    while thread.is_alive():
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    return longest


def in_slices() -> None:
    memory_report(Notebook(None), pace=InSlices())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--objects", type=int, default=1_000_000)
    parser.add_argument("--tensors", type=int, default=10_000)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    given = parser.parse_args()
    # The search starts from the names of this script.
    globals()["records"] = [(index, [index]) for index in range(given.objects // 2)]
    globals()["tensors"] = [torch.zeros(4, device=given.device) for _ in range(given.tensors)]
    bare, search = best_seconds(bare_walk), best_seconds(jupyter_gpuperf.memory)
    print(f"{len(gc.get_objects())} objects, {given.tensors} tensors")
    print(f"bare walk {bare:.2f} s, search {search:.2f} s, ratio {search / bare:.1f}")
    if given.device == "cuda":
        blocks = torch.cuda.memory_stats()["active.all.current"]
        snapshot = best_seconds(torch.cuda.memory_snapshot)
        print(f"the allocator's {blocks} blocks take {1e3 * snapshot:.1f} ms to describe")
    gaps = [longest_gap_seconds(in_slices) for _ in range(3)]
    idle = longest_gap_seconds(lambda: time.sleep(3))
    print(
        f"longest gaps in slices {[f'{1e3 * each:.1f} ms' for each in gaps]}, without {1e3 * idle:.1f} ms"
    )


if __name__ == "__main__":
    main()
