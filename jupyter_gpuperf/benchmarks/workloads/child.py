"""Run a Python program in its own process and return its answer. Standard library only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, Final

from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.messages import Message

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
"""Code that runs before each program."""
LONGEST_LINE: Final = 600


def run_program(
    program: str,
    request: object = None,
    *,
    error_code: str,
    package: str,
    hint: str,
    environment: Mapping[str, str] | None = None,
    limit_seconds: float | None = None,
) -> dict[str, Any]:
    """Run a Python program in its own process, and return the keyword arguments that it passes to ``answer``.

    Parameters
    ----------
    program
        Python code. It can use what :data:`PRELUDE` defines: ``request``, ``timed``, ``answer``, json, sys and time.
    error_code, package, hint
        If the program fails: the error's code, the package that failed, and what the user can do.
    environment
        Environment variables in addition to those of this process.

    Raises
    ------
    GpuPerfError
        The program exited with a nonzero code, or did not end within ``limit_seconds``.
    """
    try:
        finished = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", PRELUDE + program, json.dumps(request)],
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=limit_seconds,
        )
    except subprocess.TimeoutExpired:
        message, taken = "{package} did not end within {seconds:g} s.", {"seconds": limit_seconds}
        raise GpuPerfError(error_code, message, hint, package=package, **taken) from None
    if finished.returncode != 0:
        raise GpuPerfError(
            error_code,
            "{package} failed with exit code {exit_code}: {last_line}",
            hint,
            package=package,
            exit_code=finished.returncode,
            last_line=last_line(finished.stderr),
        )
    return dict(json.loads(finished.stdout.splitlines()[-1]))


def last_line(output: str) -> str:
    """Return the last line of a program's output, cut to :data:`LONGEST_LINE` characters."""
    lines = output.strip().splitlines()
    return lines[-1][:LONGEST_LINE] if lines else Message("no output")
