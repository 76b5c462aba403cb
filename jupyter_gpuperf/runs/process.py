"""Start the script and pass signals on to it. Its streams and its exit status are its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from msgspec import structs

from jupyter_gpuperf.errors import Unavailable
from jupyter_gpuperf.kernel_link.run_address import RUN_VARIABLE, RunAddress, as_variable, run_of
from jupyter_gpuperf.runs.group_signals import GroupSignals

STARTUP: Final = Path(__file__).parent / "startup"
PASSED_ON: Final = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
    if hasattr(signal, name)
]
"""Signals that end a run, or that a job scheduler sends before it does."""
SIGNAL_STATUS: Final = 128
"""A shell adds this to the number of the signal that ended a process."""


def environment_of(run: RunAddress, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment in which a run's processes find the run."""
    outer = run_of(environment)
    if outer is not None:
        run = structs.replace(run, outer_sockets=outer.sockets)
    others = [environment["PYTHONPATH"]] if environment.get("PYTHONPATH") else []
    if not (others and others[0].startswith(str(STARTUP))):
        others.insert(0, str(STARTUP))
    return {**environment, "PYTHONPATH": os.pathsep.join(others), RUN_VARIABLE: as_variable(run)}


async def start(
    command: Sequence[str], environment: Mapping[str, str]
) -> asyncio.subprocess.Process:
    """Start the command in this process's group, directory and streams.

    Raises
    ------
    Unavailable
        ``not_started``: the operating system can't start it.
    """
    if signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:  # then its exit status would be lost
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        return await asyncio.create_subprocess_exec(*command, env=environment)
    except OSError as error:
        message, hint = (
            "{program} can't be started: {error}.",
            "Run it without jupyter gpuperf run.",
        )
        reason = error.strerror
        raise Unavailable("not_started", message, hint, program=command[0], error=reason) from error


class PassedSignals:
    """Passes this process's signals on to the script, so that this process stays. Use it on one event loop.

    Parameters
    ----------
    before_stop
        Called before this process stops with the script, after Ctrl-Z.
    """

    def __init__(self, before_stop: Callable[[], object]) -> None:
        self.after_end = asyncio.Event()
        """Set by a signal that comes when the script has ended."""
        self._before_stop = before_stop
        self._process: asyncio.subprocess.Process | None = None
        self._early: list[signal.Signals] = []
        self._group = GroupSignals()
        self._passing: list[asyncio.Task[None]] = []

    @contextlib.asynccontextmanager
    async def handled(self) -> AsyncIterator[None]:
        """Handle signals within the context."""
        loop = asyncio.get_running_loop()
        # A signal that is ignored, as by nohup, is ignored by the script, too.
        numbers = [each for each in PASSED_ON if signal.getsignal(each) != signal.SIG_IGN]
        for number in numbers:
            loop.add_signal_handler(number, partial(self._came, number))
        stops = signal.getsignal(signal.SIGTSTP) == signal.SIG_DFL
        if stops:
            loop.add_signal_handler(signal.SIGTSTP, self._stop)
        await self._group.start(numbers)
        try:
            yield
        finally:
            # All is done: the exit status is the script's own, also after one more Ctrl-C.
            for number in numbers:
                loop.remove_signal_handler(number)
                signal.signal(number, signal.SIG_IGN)
            if stops:
                loop.remove_signal_handler(signal.SIGTSTP)
            await self._group.stop()

    def started(self, process: asyncio.subprocess.Process) -> None:
        """Take the script's process, which also gets the signals that came while it was started."""
        self._process = process
        for number in self._early:
            process.send_signal(number)

    def _came(self, number: signal.Signals) -> None:
        if self._process is None:
            self._early.append(number)
        elif self._process.returncode is not None:
            self.after_end.set()
        else:
            self._passing.append(asyncio.ensure_future(self._pass_on(self._process, number)))

    async def _pass_on(self, process: asyncio.subprocess.Process, number: signal.Signals) -> None:
        if not await self._group.have(number):  # as Ctrl-C, which the terminal sends to the group
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)

    def _stop(self) -> None:
        """Stop as any program does after Ctrl-Z, which the script gets from the terminal itself."""
        self._before_stop()
        loop = asyncio.get_running_loop()
        loop.remove_signal_handler(signal.SIGTSTP)
        os.kill(os.getpid(), signal.SIGTSTP)
        loop.add_signal_handler(signal.SIGTSTP, self._stop)


def status_of(returncode: int) -> int:
    """Return the exit status as a shell reports it."""
    return returncode if returncode >= 0 else SIGNAL_STATUS - returncode


def end_as(returncode: int) -> int:
    """Return the exit status, or end by Ctrl-C as the script did: a shell's loop over scripts would go on otherwise."""
    if returncode == -signal.SIGINT:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    return status_of(returncode)
