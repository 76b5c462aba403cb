"""Shared by all labelled workloads: run steps for some seconds, and report how fast they were.

    python tests/gpu/workloads/NAME.py --seconds 20
    python tests/gpu/workloads/NAME.py --dry             tiny, on the CPU: does it run at all?

A workload is a generator of steps; its ``EXPECTED`` states which findings an H100 must and may get.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

DRY_SECONDS = 2.0


@dataclass(frozen=True)
class Setup:
    """The device and the size of a run."""

    torch: Any
    device: str
    dry: bool

    def size(self, usual: int, dry: int) -> int:
        """Return a size: the usual one, or a tiny one for a dry run."""
        return dry if self.dry else usual

    def synchronize(self) -> None:
        """Wait for the device."""
        if self.device == "cuda":
            self.torch.cuda.synchronize()


Steps = Callable[[Setup], Iterator[None]]


def main(steps: Steps) -> None:
    """Run a workload as a program."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--dry", action="store_true")
    parser.add_argument("--trace", help="write a torch.profiler trace of 30 steps, for gpu-idle")
    parser.add_argument("--gpuprof", help="run under gpuprof, by this name")
    options = parser.parse_args()
    import torch

    setup = Setup(torch, "cpu" if options.dry else "cuda", options.dry)
    seconds = min(options.seconds, DRY_SECONDS) if options.dry else options.seconds
    with _observed(options, torch) as observe:
        count, elapsed = _run(steps(setup), seconds, observe)
    print(json.dumps({"steps": count, "step_seconds": elapsed / max(1, count)}), flush=True)


def _run(steps: Iterator[None], seconds: float, observe: Callable[[], None]) -> tuple[int, float]:
    next(steps)  # the first step loads and compiles
    began, count = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        next(steps)
        observe()
        count += 1
    return count, time.monotonic() - began


@contextlib.contextmanager
def _observed(options: argparse.Namespace, torch: Any) -> Iterator[Callable[[], None]]:
    if options.gpuprof:
        import gpuprof

        with gpuprof.profile(options.gpuprof):
            yield lambda: None
    elif options.trace:
        profiler = torch.profiler.profile(
            schedule=torch.profiler.schedule(wait=0, warmup=10, active=30, repeat=1)
        )
        with profiler:
            yield profiler.step
        profiler.export_chrome_trace(options.trace)
    else:
        yield lambda: None


@contextlib.contextmanager
def beside(code: str) -> Iterator[None]:
    """Run another Python program meanwhile."""
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        yield
    finally:
        process.kill()
        process.wait()
