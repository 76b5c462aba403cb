"""Tell signals to the whole process group, which the script got as well, from signals to this process alone.

A second Ctrl-C interrupts what a script does after the first, such as saving a checkpoint. Where a signal was sent to can't
be asked, so a process beside the script, which gets what the group gets and nothing else, reports its signals.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import sys
import time
from collections.abc import Sequence
from typing import Final

WITNESS: Final = """
import os, signal, sys
for each in sys.argv[1:]:
    signal.signal(int(each), lambda number, _: os.write(1, bytes([number])))
os.write(1, bytes(1))
sys.stdin.read()
"""
START_SECONDS: Final = 5.0
APART_SECONDS: Final = 0.5
"""How much later one process may get a group's signal than another, on a busy machine."""
POLL_SECONDS: Final = 0.01


class GroupSignals:
    """The signals that this process's group got. Use it on one event loop."""

    def __init__(self) -> None:
        self._witness: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._seen_at: dict[int, float] = {}

    async def start(self, numbers: Sequence[int]) -> None:
        """Notice these signals from now on."""
        # -I -S: it starts in 10 ms, and is no process of the run.
        command = (sys.executable, "-I", "-S", "-c", WITNESS, *map(str, numbers))
        pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            self._witness = await asyncio.create_subprocess_exec(
                *command, stdin=pipe, stdout=pipe, stderr=nothing
            )
            assert self._witness.stdout is not None
            await asyncio.wait_for(self._witness.stdout.read(1), START_SECONDS)
            self._reading = asyncio.ensure_future(self._read(self._witness.stdout))

    async def have(self, number: int) -> bool:
        """Return whether the group got this signal, which this process has just got."""
        now = time.monotonic()
        while time.monotonic() < now + APART_SECONDS:
            if self._seen_at.get(number, -math.inf) > now - APART_SECONDS:
                return True
            await asyncio.sleep(POLL_SECONDS)
        return False

    async def stop(self) -> None:
        """End the process."""
        if self._witness is not None:
            with contextlib.suppress(ProcessLookupError):
                self._witness.kill()  # it may be stopped
            await self._witness.wait()
        if self._reading is not None:
            await self._reading

    async def _read(self, stream: asyncio.StreamReader) -> None:
        while number := await stream.read(1):
            self._seen_at[number[0]] = time.monotonic()
