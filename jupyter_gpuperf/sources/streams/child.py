"""Run a command whose output is a stream, and start it again when it ends. Its lines are read in a thread."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from typing import IO, Final

from jupyter_gpuperf.config import SOURCE_VARIABLE
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.sources.streams.messages import NotAStream, one_line
from jupyter_gpuperf.sources.streams.pieces import LONGEST_LINE_BYTES, Joiner

logger = logging.getLogger(__name__)

AGAIN_SECONDS: Final = 5.0
"""Pause before a stream that has delivered readings is started again."""
FIRST_PAUSE_SECONDS: Final = 5.0
LONGEST_PAUSE_SECONDS: Final = 300.0
END_SECONDS: Final = 2.0
"""How long a command may take to end once its input is closed."""
POLL_SECONDS: Final = 0.02
MOST_ERROR_BYTES: Final = 2048
SILENT_SECONDS: Final = 60.0
"""A command that writes nothing for this long is ended, and started again."""


class ChildStream:
    """The command of one stream, in its own thread.

    Parameters
    ----------
    command
        Program and arguments; no shell reads them.
    take
        Called in the thread with each line; raises :class:`NotAStream` for one that is no message. Returns whether the
        line had readings.
    begin
        Called in the thread before each start.

    Attributes
    ----------
    reason
        Why nothing comes, in a sentence of the command or of the system; empty while it delivers.
    """

    def __init__(
        self,
        command: Sequence[str],
        take: Callable[[bytes], bool],
        begin: Callable[[], None] = lambda: None,
    ) -> None:
        self._command, self._take, self._begin = command, take, begin
        # The sources of this server are not those of the machine that a command asks.
        self._environment = {
            name: value for name, value in os.environ.items() if name != SOURCE_VARIABLE
        }
        self.reason: str = ""
        self._has_delivered = False
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._heard_at = time.monotonic()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the command, unless it is running."""
        if self._thread is None:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._run, name="gpuperf-stream", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the command. Returns when it has ended, or was killed."""
        self._stopping.set()
        if self._process is not None:
            _end(self._process)
        if self._thread is not None:
            self._thread.join(2 * END_SECONDS)
            self._thread = None

    def look(self) -> None:
        """End a command that hangs; called regularly."""
        process = self._process
        if process is not None and time.monotonic() - self._heard_at > SILENT_SECONDS:
            self.reason = Message("it wrote nothing for a minute")
            _kill(process)

    def _run(self) -> None:
        pause_seconds = FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            self._has_delivered = False
            try:
                self._run_once()
            except OSError as error:
                self.reason = str(error.strerror or error)
            except Exception:  # no caller sees this thread's exceptions
                logger.exception("A stream ended unexpectedly.")
                self.reason = Message("server error; see the log")
            if self._has_delivered:
                pause_seconds = FIRST_PAUSE_SECONDS
                self._stopping.wait(AGAIN_SECONDS)
            else:
                self._stopping.wait(pause_seconds)
                pause_seconds = min(2 * pause_seconds, LONGEST_PAUSE_SECONDS)

    def _run_once(self) -> None:
        """Run the command until it ends."""
        self._begin()
        self._heard_at = time.monotonic()
        process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env=self._environment,
        )
        self._process = process
        assert process.stdout is not None
        assert process.stderr is not None
        errors = _Tail(process.stderr)
        try:
            if not self._stopping.is_set():
                self._read(process.stdout)
        except NotAStream as error:
            self.reason = error.args[0]
        else:
            _end(process)
            self.reason = errors.last_line() or Message("it ended")
        finally:
            _end(process)
            self._process = None
            process.stdout.close()
            errors.close()

    def _read(self, output: IO[bytes]) -> None:
        joiner = Joiner()
        while line := output.readline(LONGEST_LINE_BYTES):
            self._heard_at = time.monotonic()
            if not line.endswith(b"\n"):
                if len(line) == LONGEST_LINE_BYTES:
                    raise NotAStream(Message("a line is far too long"))
                break
            whole = joiner.join(line)
            if whole is not None and self._take(whole):
                self._has_delivered, self.reason = True, ""


class _Tail:
    """Reads what a command writes to its standard error, and keeps the end of it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._kept = stream, b""
        self._thread = threading.Thread(target=self._run, name="gpuperf-stderr", daemon=True)
        self._thread.start()

    def last_line(self) -> str:
        """Return the last line that is not empty."""
        self._thread.join(END_SECONDS)
        lines = self._kept.decode(errors="replace").split("\n")
        return next((text for each in reversed(lines) if (text := one_line(each))), "")

    def close(self) -> None:
        """Close the stream, once the command has ended."""
        self._thread.join(END_SECONDS)
        self._stream.close()

    def _run(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while block := self._stream.read1(MOST_ERROR_BYTES):  # type: ignore[attr-defined]
                self._kept = (self._kept + block)[-MOST_ERROR_BYTES:]


def _end(process: subprocess.Popen[bytes]) -> None:
    """Close the command's input, which ends a stream; kill what does not end, and what it leaves behind."""
    with contextlib.suppress(OSError, ValueError):
        if process.stdin:
            process.stdin.close()
    until = time.monotonic() + END_SECONDS
    while not _has_ended(process) and time.monotonic() < until:
        time.sleep(POLL_SECONDS)
    _kill(process)
    process.wait()


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Return whether the command has ended. Its number stays its own meanwhile, so that its group can be killed."""
    if process.returncode is not None:
        return True
    options = os.WEXITED | os.WNOHANG | os.WNOWAIT
    with contextlib.suppress(ChildProcessError):
        return os.waitid(os.P_PID, process.pid, options) is not None
    return True


def _kill(process: subprocess.Popen[bytes]) -> None:
    # The whole group: a command may have started others, such as ssh its proxy.
    if process.returncode is None:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
