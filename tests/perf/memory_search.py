"""How long ``gpuperf.memory()`` takes beside a bare walk over the collector's objects.

python tests/perf/memory_search.py [--objects 1000000] [--tensors 10000]
"""

from __future__ import annotations

import argparse
import gc
import time

import torch

import jupyter_gpuperf


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


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--objects", type=int, default=1_000_000)
    parser.add_argument("--tensors", type=int, default=10_000)
    given = parser.parse_args()
    # The search starts from the names of this script.
    globals()["records"] = [(index, [index]) for index in range(given.objects // 2)]
    globals()["tensors"] = [torch.zeros(4) for _ in range(given.tensors)]
    bare, search = best_seconds(bare_walk), best_seconds(jupyter_gpuperf.memory)
    print(f"{len(gc.get_objects())} objects, {given.tensors} tensors")
    print(f"bare walk {bare:.2f} s, search {search:.2f} s, ratio {search / bare:.1f}")


if __name__ == "__main__":
    main()
