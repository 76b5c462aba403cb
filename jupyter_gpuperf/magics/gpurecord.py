"""``%gpurecord`` and ``%%gpurecord``: record the GPUs while a notebook works.

A separate process takes and writes the readings, so that the notebook is not slowed down. No server is
needed; it works in plain IPython as well.
"""

from __future__ import annotations

import atexit
import itertools
import json
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import PIPE, Popen, TimeoutExpired
from typing import Any, Final

from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_cell_magic, magics_class

from jupyter_gpuperf.client.failures import shortened_errors
from jupyter_gpuperf.client.terminal_recording import STARTED_LINE, summary_sentence
from jupyter_gpuperf.commands.magic_line import prints_help, set_manual, words_of
from jupyter_gpuperf.commands.options import OptionParser, flag
from jupyter_gpuperf.errors import BadRequest, GpuPerfError, Unavailable
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.messages.translator import translated

START_SECONDS: Final = 45.0
STOP_SECONDS: Final = 15.0

MANUAL: Final = Message(
    """Record the GPUs' readings to a file that can be replayed anywhere.

  %gpurecord start [FILE] [--seconds S] [--interval-ms N] [--label TEXT]
  %gpurecord               show the state of the recording
  %gpurecord stop          stop, and return the recording with its .file

  %%gpurecord [FILE] [--interval-ms N] [--label TEXT]
  …                        record while the cell runs

FILE is a new file, by default gpuperf-<date>-<time>.jsonl.gz in the current folder.
To replay it, start a server with c.GpuPerf.source = "replay:FILE".
"""
)


@dataclass(kw_only=True)
class RecordedFile:
    """A finished or running recording.

    Attributes
    ----------
    file
        The path of the recording.
    summary
        ``duration_seconds``, ``frames_count``, ``size_bytes``, ``error``; empty while it runs.
    """

    file: str
    summary: dict[str, Any] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    def __repr__(self) -> str:
        if self.summary:
            return summary_sentence(self.summary)
        seconds = time.monotonic() - self.began
        message = "{file}: recording for {seconds:.0f} s"
        return translated(Message(message, file=self.file, seconds=seconds))


class RecordingProcess:
    """The process that records.

    Raises
    ------
    Unavailable
        The recording could not start; the message is the reason that the process reported.
    """

    def __init__(self, file: str, options: list[str]) -> None:
        self.recording = RecordedFile(file=file)
        command = [sys.executable, "-m", "jupyter_gpuperf", "record", file, "--attached", "--json"]
        self._process = Popen([*command, *options], stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True)
        # Ctrl-C in a terminal reaches the whole process group. So it ends the recording together
        # with the cell, as it should.
        timer = threading.Timer(START_SECONDS, self._process.kill)
        timer.start()
        try:
            assert self._process.stdout is not None  # it is a pipe
            first = self._process.stdout.readline().strip()
        finally:
            timer.cancel()
        if first != STARTED_LINE:
            raise self._failure()

    @property
    def is_recording(self) -> bool:
        """Whether the process is still recording."""
        return self._process.poll() is None

    def stop(self) -> RecordedFile:
        """End the recording, and return it."""
        if not self.recording.summary:
            try:
                out, _ = self._process.communicate(timeout=STOP_SECONDS)  # this closes its stdin
                self.recording.summary = json.loads(out.strip().splitlines()[-1])
            except (TimeoutExpired, ValueError, IndexError) as error:
                self._process.kill()
                self._process.communicate()
                message = "The recording did not stop; its process was killed."
                hint, file = "{file} contains all but the last few seconds.", self.recording.file
                raise Unavailable("recording_not_ended", message, hint, file=file) from error
        return self.recording

    def _failure(self) -> GpuPerfError:
        _, errors = self._process.communicate()
        try:
            return Unavailable.from_dict(json.loads(errors.strip().splitlines()[-1]))
        except (ValueError, IndexError, TypeError):
            message = "The recording could not start: {error}."
            hint = "Try jupyter gpuperf record in a terminal."
            error = errors.strip().rpartition("\n")[2] or Message("no output")
            return Unavailable("recording_not_started", message, hint, error=error)


@magics_class
class GpuRecordMagics(Magics):  # type: ignore[misc]  # IPython is untyped
    """The class in which IPython finds ``%gpurecord`` and ``%%gpurecord``."""

    current: RecordingProcess | None = None

    @line_cell_magic  # type: ignore[untyped-decorator]
    @shortened_errors()
    def gpurecord(self, line: str, cell: str | None = None) -> RecordedFile | None:
        """Start, stop or show a recording. :func:`register` replaces this docstring."""
        words = words_of(line)
        if prints_help(words, MANUAL):
            return None
        if cell is not None:
            return self._record_cell(words, cell)
        match words:
            case []:
                return self._state()
            case ["start", *rest]:
                self._start(rest)
                return self._state()
            case ["stop"]:
                return self._stop()
        raise BadRequest("usage", "Unknown action: {line}.", "See %gpurecord?", line=line)

    def _record_cell(self, words: list[str], cell: str) -> RecordedFile:
        self._start(words)
        try:
            # The shell shows the cell's error, if any; the user still wants the recording.
            self.shell.run_cell(cell)
        finally:
            recording = self._stop()
        return recording

    def _start(self, words: list[str]) -> None:
        if self.current is not None and self.current.is_recording:
            message, file = "A recording to {file} is already running.", self.current.recording.file
            raise BadRequest("recording_runs", message, "To stop it: %gpurecord stop", file=file)
        file, options = parse(words)
        self.current = RecordingProcess(file, options)
        atexit.register(self.current.stop)

    def _state(self) -> RecordedFile | None:
        if self.current is None:
            print(translated(Message("Nothing is being recorded. To start: %gpurecord start")))  # noqa: T201
            return None
        return self.current.recording if self.current.is_recording else self._stop()

    def _stop(self) -> RecordedFile:
        if self.current is None:
            raise BadRequest(
                "no_recording", "Nothing is being recorded.", "To start: %gpurecord start"
            )
        process, self.current = self.current, None
        atexit.unregister(process.stop)
        return process.stop()


def parse(words: list[str]) -> tuple[str, list[str]]:
    """Parse the words after ``start`` into the file and the recorder's options."""
    parser = OptionParser(prog="%gpurecord", add_help=False, allow_abbrev=False)
    parser.add_argument("file", nargs="?", default=None)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--interval-ms", type=int)
    parser.add_argument("--label")
    given = parser.parse_args(words)
    options: list[str] = []
    for name in ("seconds", "interval_ms", "label"):
        if (value := getattr(given, name)) is not None:
            options += [flag(name), str(value)]
    return given.file or _new_name(), options


def _new_name() -> str:
    """Return a name for a new recording in the current folder; two may start in the same second."""
    now = time.strftime("gpuperf-%Y%m%d-%H%M%S")
    names = itertools.chain([now], (f"{now}-{number}" for number in itertools.count(2)))
    return next(f"{each}.jsonl.gz" for each in names if not Path(f"{each}.jsonl.gz").exists())


def register(ipython: InteractiveShell) -> None:
    """Register the magic and its manual with ``ipython``."""
    set_manual(GpuRecordMagics.gpurecord, MANUAL)
    ipython.register_magics(GpuRecordMagics)
