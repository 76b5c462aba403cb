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
model = torch.nn.Linear(8, 8)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

def get_batch():
    time.sleep(0.01)
    return torch.randn(4, 8)

def train(seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        optimizer.zero_grad()
        model(get_batch()).sum().backward()
        optimizer.step()
"""


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
