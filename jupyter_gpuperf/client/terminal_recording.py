"""``jupyter gpuperf record FILE``: in a terminal, and as the process behind ``%gpurecord``."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any, Final

import msgspec

from jupyter_gpuperf.config import SOURCE_VARIABLE
from jupyter_gpuperf.findings.alert_watch import AlertWatch
from jupyter_gpuperf.recorder.in_process import record_in_process
from jupyter_gpuperf.recorder.recorder import Recorder
from jupyter_gpuperf.rules import all_rules
from jupyter_gpuperf.sampling.subscribers import ALERTS
from jupyter_gpuperf.schemas import RecordingRequest

STARTED: Final = "recording"
"""First line of an attached process: readings come in."""
SUMMED_UP: Final = ("state", "duration_seconds", "frames_count", "dropped_count", "size_bytes")


def record_in_terminal(known: argparse.Namespace) -> int:
    """Record until Ctrl-C, a termination, or the time given; return the exit code.

    An attached process says on stdout when it began, and ends when its stdin is closed: so it ends
    with the notebook's kernel, whatever ends that, and its file is whole.
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if known.attached:
        threading.Thread(target=_wait_for_end_of_input, args=(stop,), daemon=True).start()

    def started(_recorder: Recorder) -> None:
        if known.attached:
            print(STARTED, flush=True)  # noqa: T201
        elif not known.json:
            print(f"Recording to {known.file}; Ctrl-C ends it.", file=sys.stderr)  # noqa: T201

    recorder = record_in_process(
        Path(known.file),
        RecordingRequest(label=known.label, interval_ms=known.interval_ms, seconds=known.seconds),
        source=known.source or os.environ.get(SOURCE_VARIABLE) or "auto",
        stopping=stop.is_set,
        started=started,
        observers={ALERTS: AlertWatch(all_rules()).observe},
    )
    summary = summary_of(recorder)
    print(json.dumps(summary) if known.json else sentence_of(summary))  # noqa: T201
    return 0 if recorder.error is None else 1


def summary_of(recorder: Recorder) -> dict[str, Any]:
    """Return what was recorded, for ``--json``."""
    return {
        "file": str(recorder.path),
        **{name: getattr(recorder, name) for name in SUMMED_UP},
        "error": msgspec.to_builtins(recorder.error),
    }


def sentence_of(summary: dict[str, Any]) -> str:
    """Return the same for people."""
    size = summary["size_bytes"]
    shown = f"{size / 2**20:.1f} MiB" if size >= 2**20 else f"{size / 2**10:.0f} KiB"
    lasted = f"{summary['duration_seconds']:.1f} s"
    words = f"{summary['file']}: {summary['frames_count']} readings in {lasted}, {shown}"
    if summary["dropped_count"]:
        words += f"; {summary['dropped_count']} were lost to a slow disk"
    error = summary["error"]
    return words if error is None else f"{error['message']} {error['hint']}\n{words}"


def _wait_for_end_of_input(stop: threading.Event) -> None:
    # Not through sys.stdin: a thread that holds its lock at the interpreter's end makes it abort.
    while os.read(0, 1):
        pass
    stop.set()
