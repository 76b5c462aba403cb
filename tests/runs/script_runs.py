"""Scripts for ``jupyter gpuperf run``, each a program of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

GPUPERF = [sys.executable, "-m", "jupyter_gpuperf", "run"]
PATIENCE_SECONDS = 120

LOOP = """
import sys, time, torch

class Descent(torch.optim.Optimizer):
    # Torch's own optimizers import torch._dynamo, which takes seconds.
    def add_param_group(self, group):
        self.param_groups.append(group)

    @torch.no_grad()
    def step(self):
        for each in self.param_groups[0]["params"]:
            each -= 0.1 * each.grad

model = torch.nn.Linear(8, 8)
optimizer = Descent(model.parameters(), {})

def get_batch():
    time.sleep(0.01)
    return torch.randn(4, 8)

def train(steps):
    ends = []
    for _ in range(steps):
        model.zero_grad()
        model(get_batch()).sum().backward()
        optimizer.step()
        ends.append(time.perf_counter())
    return ends
"""
PLAIN_LOOP = """
import sys, time
import jupyter_gpuperf as gpuperf

def batches(count):
    for _ in range(count):
        time.sleep(0.01)
        yield 1

def train(steps):
    for _ in gpuperf.watch(batches(steps)):
        pass
"""
"""The same without torch, whose import takes seconds."""


def environment(**more: str) -> dict[str, str]:
    """Return an environment in which the script sees no GPU but those of a recording."""
    return {**os.environ, "CUDA_VISIBLE_DEVICES": "", **more}


def command(
    folder: Path, code: str, *options: str, words: Sequence[str] | None = None
) -> list[str]:
    """Write a script, and return the command that runs it; ``words`` replace its name."""
    (folder / "train.py").write_text(code)
    return [*GPUPERF, *options, *(("train.py",) if words is None else words)]


def run(
    folder: Path, code: str, *options: str, words: Sequence[str] | None = None, **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run a script to its end."""
    return subprocess.run(
        command(folder, code, *options, words=words),
        cwd=folder,
        env=environment(**settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
