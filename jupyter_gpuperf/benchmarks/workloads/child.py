"""Run a Python program in its own process and return what it prints. Standard library only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

from jupyter_gpuperf.errors import GpuPerfError

PRELUDE: Final = """
import json, sys, time
request = json.loads(sys.argv[1])
def timed(work, seconds):
    taken, ends = [], time.perf_counter() + seconds
    while len(taken) < 8 or (time.perf_counter() < ends and len(taken) < 300):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return taken
def answer(**content):
    print(json.dumps(content))
"""
"""The code put before each program."""


def answer_of(
    program: str,
    request: object = None,
    *,
    failed: Callable[[int, str], GpuPerfError],
    environment: Mapping[str, str] | None = None,
    seconds: float | None = None,
) -> dict[str, Any]:
    """Run a Python program and return what it passes to ``answer``.

    Parameters
    ----------
    program
        Python code. It can use ``request``, ``timed`` and ``answer``, and the modules json, sys and time.
    failed
        Makes the error from the exit code and the last line of the error output.
    environment
        Variables in addition to those of this process.

    Raises
    ------
    GpuPerfError
        The program ended with a nonzero exit code.
    """
    finished = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PRELUDE + program, json.dumps(request)],
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
    answer: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return answer
