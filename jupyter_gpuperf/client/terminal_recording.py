"""``jupyter gpuperf record FILE``: record in a terminal, or as the process behind ``%gpurecord``."""

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

from jupyter_gpuperf.client.end_of_input import set_at_end_of_input
from jupyter_gpuperf.config import SOURCE_VARIABLE
from jupyter_gpuperf.display.document import joined
from jupyter_gpuperf.display.numbers import format_quantity
from jupyter_gpuperf.findings.alert_watch import AlertWatch
from jupyter_gpuperf.messages import Message, without_messages
from jupyter_gpuperf.messages.translator import translated
from jupyter_gpuperf.recorder.in_process import record_in_process
from jupyter_gpuperf.recorder.recorder import Recorder
from jupyter_gpuperf.rules import all_rules
from jupyter_gpuperf.sampling.subscribers import ALERTS
from jupyter_gpuperf.schemas import RecordingRequest

STARTED_LINE: Final = "recording"
"""The first line that an attached process prints, as soon as readings arrive."""
SUMMARY_FIELDS: Final = ("state", "duration_seconds", "frames_count", "dropped_count", "size_bytes")


def record_in_terminal(parsed: argparse.Namespace) -> int:
    """Record until Ctrl-C, SIGTERM, or the end of the given time; return the exit code.

    An attached process reports on stdout that it has started, and ends when its stdin is closed. So it ends
    with the notebook's kernel, even if the kernel is killed, and the file is complete.
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if parsed.attached:
        set_at_end_of_input(stop)

    def started(_recorder: Recorder) -> None:
        if parsed.attached:
            print(STARTED_LINE, flush=True)  # noqa: T201
        elif not parsed.json:
            message = Message("Recording to {file}; Ctrl-C stops it.", file=parsed.file)
            print(translated(message), file=sys.stderr)  # noqa: T201

    recorder = record_in_process(
        Path(parsed.file),
        RecordingRequest(
            label=parsed.label, interval_ms=parsed.interval_ms, seconds=parsed.seconds
        ),
        source=parsed.source or os.environ.get(SOURCE_VARIABLE) or "auto",
        stopping=stop.is_set,
        started=started,
        observers={ALERTS: AlertWatch(all_rules()).message_after},
    )
    summary = {
        "file": str(recorder.path),
        **{name: getattr(recorder, name) for name in SUMMARY_FIELDS},
        "error": msgspec.to_builtins(recorder.error, enc_hook=str),
    }
    print(json.dumps(summary) if parsed.json else summary_sentence(summary))  # noqa: T201
    return 0 if recorder.error is None else 1


def summary_sentence(summary: dict[str, Any]) -> str:
    """Return the summary as a sentence in the reader's language, below the error if there is one."""
    template = "{file}: {frames_count} readings in {duration_seconds:.1f} s, {size}"
    if summary["dropped_count"]:
        template = "{file}: {frames_count} readings in {duration_seconds:.1f} s, {size}; {dropped_count} lost"
    message = Message(template, **summary, size=format_quantity(summary["size_bytes"], "bytes"))
    error = without_messages(summary["error"] or {"message": "", "hint": ""})
    return joined([joined([error["message"], error["hint"]], " "), message], "\n")
