"""Start a worker for the server, and make sure that none of its processes survive.

This file is run as a script in isolated mode by the server's own interpreter. The first line of
standard input is the order, a JSON object::

    {"command": […], "request": "…", "environment": {…}, "deadline_seconds": 900, "scratch": "…"}

After that, standard input is a *lifeline*: when it closes, because the job was cancelled or because
the server died in any way, all descendants of this process are killed. Standard output is shared with
the worker and carries JSON lines. The last one is sent when all descendants are dead::

    {"type": "ended", "reason": "exited|cancelled|deadline|start_failed", "returncode": …, "detail": …}

Locks that the server passed on as open descriptors are held until then. This file uses only the
standard library.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

LIFELINE = 0


def _posix() -> Any:  # returns a module
    # In isolated mode (``python -I``), this package can't be imported; only this one file is needed.
    spec = importlib.util.spec_from_file_location("_posix", Path(__file__).with_name("posix.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Read an order from standard input, and run it."""
    posix = _posix()
    order = json.loads(_first_line())
    posix.adopt_orphans()
    # The worker's temporary files go into a folder that is removed however the worker ends.
    scratch = order["scratch"]
    os.mkdir(scratch, 0o700)
    try:
        end = _run(order, scratch, posix)
    finally:
        posix.kill_descendants()
        shutil.rmtree(scratch, ignore_errors=True)
    # Start with a newline, in case the worker left a line unfinished.
    with contextlib.suppress(OSError):  # the server is gone
        os.write(1, b"\n" + json.dumps(end).encode() + b"\n")


def _run(order: dict[str, Any], scratch: str, posix: Any) -> dict[str, Any]:
    try:
        worker = subprocess.Popen(
            order["command"],
            stdin=subprocess.PIPE,
            env={**order["environment"], "TMPDIR": scratch},
            start_new_session=True,
            preexec_fn=posix.die_with_parent,  # noqa: PLW1509  (there are no threads here)
        )
    except (OSError, ValueError) as error:  # ValueError: a variable or an argument with a null byte
        return {"type": "ended", "reason": "start_failed", "returncode": None, "detail": str(error)}
    assert worker.stdin is not None
    with contextlib.suppress(OSError):  # the worker may have died already; the exit code shows why
        worker.stdin.write(order["request"].encode())
        worker.stdin.close()
    reason = _wait(worker, time.monotonic() + order["deadline_seconds"])
    if reason != "exited":
        posix.kill_group(worker.pid)
    return {"type": "ended", "reason": reason, "returncode": worker.wait(), "detail": ""}


def _wait(worker: subprocess.Popen[bytes], deadline: float) -> str:
    """Return why the wait ended: the worker exited, the lifeline closed, or time ran out."""
    exited = os.pidfd_open(worker.pid) if hasattr(os, "pidfd_open") else None
    poller = select.poll()
    poller.register(LIFELINE, select.POLLIN | select.POLLHUP)
    if exited is not None:
        poller.register(exited, select.POLLIN)
    while worker.poll() is None:
        remaining_seconds = deadline - time.monotonic()
        if remaining_seconds <= 0:
            return "deadline"
        # Without a pidfd (not Linux), wake up often to notice an exit.
        longest_seconds = remaining_seconds if exited is not None else 0.05
        for descriptor, _ in poller.poll(1000 * min(remaining_seconds, longest_seconds)):
            if descriptor == LIFELINE and not os.read(LIFELINE, 4096):
                return "cancelled"
    return "exited"


def _first_line() -> bytes:
    # Unbuffered: what follows the line belongs to the lifeline.
    line = bytearray()
    while not line.endswith(b"\n"):
        part = os.read(LIFELINE, 1)
        if not part:
            sys.exit(0)  # the server died before it had sent the whole order
        line += part
    return bytes(line)


if __name__ == "__main__":
    main()
