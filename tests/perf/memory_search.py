"""How long ``gpuperf.memory()`` takes beside a bare walk over the collector's objects, and how long code waits for the
interpreter while the panel asks for the owners.

python tests/perf/memory_search.py [--objects 1000000] [--tensors 10000] [--device cuda]
"""

from __future__ import annotations

import argparse
import contextlib
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


def longest_gaps_ms(function) -> str:
    """Describe how long this thread, which computes, stands still at most while another one runs the function.

    The other thread's processor time within a gap does not depend on what else the machine does.
    """
    thread = threading.Thread(target=function)
    thread.start()
    clock = time.pthread_getcpuclockid(thread.ident)
    longest = longest_cpu = 0.0
    last, last_cpu = time.perf_counter(), 0.0
    with contextlib.suppress(OSError):  # it ended
        while thread.is_alive():
            now, cpu = time.perf_counter(), time.clock_gettime(clock)
            longest, longest_cpu = max(longest, now - last), max(longest_cpu, cpu - last_cpu)
            last, last_cpu = now, cpu
    return f"{1e3 * longest:.1f} ({1e3 * longest_cpu:.1f} of it by the search)"


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
    for _ in range(3):
        print(f"longest gap in slices: {longest_gaps_ms(in_slices)} ms")
    print(f"without a search: {longest_gaps_ms(lambda: time.sleep(3))} ms")


if __name__ == "__main__":
    main()
