"""Start the script and pass signals on to it. Its streams and its exit status are its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from jupyter_gpuperf.errors import Unavailable
from jupyter_gpuperf.kernel_link.run_address import RUN_VARIABLE, RunAddress, as_variable

STARTUP: Final = Path(__file__).parent / "startup"
PASSED_ON: Final = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
    if hasattr(signal, name)
]
"""Signals that end a run, or that a job scheduler sends before it does."""
FROM_TERMINAL: Final = ("SIGINT", "SIGQUIT")
SIGNAL_STATUS: Final = 128
"""A shell adds this to the number of the signal that ended a process."""


def environment_of(run: RunAddress, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment in which a run's processes find the run."""
    paths = [str(STARTUP), *filter(None, [environment.get("PYTHONPATH")])]
    return {**environment, "PYTHONPATH": os.pathsep.join(paths), RUN_VARIABLE: as_variable(run)}


async def start(
    command: Sequence[str], environment: Mapping[str, str]
) -> asyncio.subprocess.Process:
    """Start the command in this process's group, directory and streams.

    Raises
    ------
    Unavailable
        ``not_started``: the operating system can't start it.
    """
    try:
        return await asyncio.create_subprocess_exec(*command, env=environment)
    except OSError as error:
        message, hint = (
            "{program} can't be started: {error}.",
            "Run it without jupyter gpuperf run.",
        )
        reason = error.strerror
        raise Unavailable("not_started", message, hint, program=command[0], error=reason) from error


@contextlib.contextmanager
def signals_passed_on(process: asyncio.subprocess.Process) -> Iterator[None]:
    """Within the context, pass this process's signals on to the script, and stay."""
    loop = asyncio.get_running_loop()
    # A signal that is ignored, as by nohup, is ignored by the script, too.
    numbers = [each for each in PASSED_ON if signal.getsignal(each) != signal.SIG_IGN]
    for number in numbers:
        loop.add_signal_handler(number, partial(_pass_on, process, number))
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def status_of(returncode: int) -> int:
    """Return the exit status as a shell reports it."""
    return returncode if returncode >= 0 else SIGNAL_STATUS - returncode


def _pass_on(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    # A terminal sends Ctrl-C to all processes of its foreground group: twice would be a second Ctrl-C.
    if number.name in FROM_TERMINAL and _is_in_foreground():
        return
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(number)


def _is_in_foreground() -> bool:
    for stream in (sys.stdin, sys.stderr, sys.stdout):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            return os.tcgetpgrp(stream.fileno()) == os.getpgrp()
    return False
