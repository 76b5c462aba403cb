"""Runs a piece of Python in a process of its own, which prints its answer. Standard library only."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping

from jupyter_gpuperf.errors import GpuPerfError


def last_line_of(
    program: str,
    *arguments: str,
    failed: Callable[[int, str], GpuPerfError],
    environment: Mapping[str, str] | None = None,
    seconds: float | None = None,
) -> str:
    """Return the last line that a program prints.

    Parameters
    ----------
    failed
        Makes the error out of the exit code and the last line that it complained with.
    environment
        Variables besides this process's own.

    Raises
    ------
    GpuPerfError
        It ended with anything but 0.
    """
    finished = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, *arguments],
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )
    if finished.returncode != 0:
        last = finished.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise failed(finished.returncode, last[0][:300])
    return finished.stdout.splitlines()[-1]
