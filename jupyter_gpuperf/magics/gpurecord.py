"""``%gpurecord`` and ``%%gpurecord``: record what the GPUs do while a notebook works.

A separate process takes and writes the readings, so that they cost the notebook nothing. It needs no
server, and works in a plain IPython as well.
"""

from __future__ import annotations

import atexit
import json
import sys
import threading
import time
from dataclasses import dataclass, field
from subprocess import PIPE, Popen, TimeoutExpired
from typing import Any, Final

from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_cell_magic, magics_class

from jupyter_gpuperf.client.failures import in_short
from jupyter_gpuperf.client.terminal_recording import STARTED, sentence_of
from jupyter_gpuperf.commands.magic_line import words_of
from jupyter_gpuperf.commands.options import OptionParser, flag
from jupyter_gpuperf.errors import BadRequest, GpuPerfError, Unavailable

START_SECONDS: Final = 45.0
STOP_SECONDS: Final = 15.0

MANUAL: Final = """Record what the GPUs do into a file that replays anywhere.

  %gpurecord start [FILE] [--seconds S] [--interval-ms N] [--label WORDS]
  %gpurecord               how the recording stands
  %gpurecord stop          end it; returns it, with its .file

  %%gpurecord [FILE] [--interval-ms N] [--label WORDS]
  …                        record while the cell runs

FILE is a new file, by default gpuperf-<date>-<time>.jsonl.gz in the current folder.
A server replays it when started with c.GpuPerf.source = "replay:FILE".
"""


@dataclass(kw_only=True)
class Recording:
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
            return sentence_of(self.summary)
        return f"{self.file}: recording for {time.monotonic() - self.began:.0f} s"


class RecordingProcess:
    """The process that records.

    Raises
    ------
    Unavailable
        The recording could not start; with the reason that the process reported.
    """

    def __init__(self, file: str, options: list[str]) -> None:
        self.recording = Recording(file=file)
        command = [sys.executable, "-m", "jupyter_gpuperf", "record", file, "--attached", "--json"]
        self._process = Popen([*command, *options], stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True)
        # Ctrl-C in a terminal reaches the whole process group: it ends the recording with the
        # cell, as it should.
        timer = threading.Timer(START_SECONDS, self._process.kill)
        timer.start()
        try:
            assert self._process.stdout is not None  # it is a pipe
            first = self._process.stdout.readline().strip()
        finally:
            timer.cancel()
        if first != STARTED:
            raise self._failure()

    @property
    def runs(self) -> bool:
        """Whether it still records."""
        return self._process.poll() is None

    def stop(self) -> Recording:
        """End the recording, and return it."""
        if not self.recording.summary:
            try:
                out, _ = self._process.communicate(timeout=STOP_SECONDS)  # closes its input
                self.recording.summary = json.loads(out.strip().splitlines()[-1])
            except (TimeoutExpired, ValueError, IndexError) as error:
                self._process.kill()
                self._process.communicate()
                message = "The recording did not end as it should; its process was killed."
                hint = f"What was recorded until its last seconds is in {self.recording.file}."
                raise Unavailable("recording_not_ended", message, hint) from error
        return self.recording

    def _failure(self) -> GpuPerfError:
        _, errors = self._process.communicate()
        try:
            return Unavailable.from_dict(json.loads(errors.strip().splitlines()[-1]))
        except (ValueError, IndexError, TypeError):
            last = errors.strip().splitlines()[-1:] or ["it said nothing"]
            message = f"The recording could not begin: {last[0]}."
            hint = "Try jupyter gpuperf record in a terminal."
            return Unavailable("recording_not_started", message, hint)


@magics_class
class GpuRecordMagics(Magics):  # type: ignore[misc]  # IPython is untyped
    """The magics that record."""

    current: RecordingProcess | None = None

    @line_cell_magic  # type: ignore[untyped-decorator]
    @in_short()
    def gpurecord(self, line: str, cell: str | None = None) -> Recording | None:
        """Record; see :data:`MANUAL`."""
        words = words_of(line)
        if cell is not None:
            return self._record_cell(words, cell)
        match words:
            case []:
                return self._stand()
            case ["start", *rest]:
                self._start(rest)
                return self._stand()
            case ["stop"]:
                return self._stop()
        raise BadRequest("usage", f"{line!r} is not understood.", "See %gpurecord?")

    def _record_cell(self, words: list[str], cell: str) -> Recording:
        self._start(words)
        try:
            # The shell shows the cell's error, if any; the user still wants the recording.
            self.shell.run_cell(cell)
        finally:
            recording = self._stop()
        return recording

    def _start(self, words: list[str]) -> None:
        if self.current is not None and self.current.runs:
            message = f"A recording runs already, to {self.current.recording.file}."
            raise BadRequest("recording_runs", message, "End it with %gpurecord stop.")
        file, options = parse(words)
        self.current = RecordingProcess(file, options)
        atexit.register(self.current.stop)

    def _stand(self) -> Recording | None:
        if self.current is None:
            print("Nothing is being recorded. %gpurecord start begins.")  # noqa: T201
            return None
        return self.current.recording if self.current.runs else self._stop()

    def _stop(self) -> Recording:
        if self.current is None:
            hint = "%gpurecord start begins."
            raise BadRequest("no_recording", "Nothing is being recorded.", hint)
        process, self.current = self.current, None
        atexit.unregister(process.stop)
        return process.stop()


def parse(words: list[str]) -> tuple[str, list[str]]:
    """Return the file and the options in the words after ``start``."""
    parser = OptionParser(prog="%gpurecord", add_help=False, allow_abbrev=False)
    parser.add_argument("file", nargs="?", default=time.strftime("gpuperf-%Y%m%d-%H%M%S.jsonl.gz"))
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--interval-ms", type=int)
    parser.add_argument("--label")
    given = parser.parse_args(words)
    options: list[str] = []
    for name in ("seconds", "interval_ms", "label"):
        if (value := getattr(given, name)) is not None:
            options += [flag(name), str(value)]
    return given.file, options


def register(ipython: InteractiveShell) -> None:
    """Register the magic and its manual with ``ipython``."""
    GpuRecordMagics.gpurecord.__doc__ = MANUAL
    ipython.register_magics(GpuRecordMagics)
