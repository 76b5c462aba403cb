"""What the tests of two devices share: programs at work, recordings, and what the server finds."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from real_server import ROOT, wait_until

PROGRAMS = Path(__file__).parent / "programs"
DRY = bool(os.environ.get("GPUPERF_DRY"))
MIB = 1 << 20
HARDWARES = {"power-capped", "thermal-throttled"}
"""Findings that are true of a chip at full work, whatever a training does wrong."""


@contextlib.contextmanager
def at_work(**task):
    """A program of ``programs/at_work.py`` that has begun to work."""
    program = [sys.executable, str(PROGRAMS / "at_work.py"), json.dumps({**task, "dry": DRY})]
    with subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


@contextlib.contextmanager
def recorded(server, label, note):
    """Record meanwhile, with processes and steps; keep the file where somebody wants it."""
    wish = {"label": label, "interval_ms": 100}
    recording = server.ask("gpuperf/recordings", wish, method="POST")
    try:
        yield
    finally:
        path = f"gpuperf/recordings/{recording['id']}"
        server.ask(path, method="DELETE")
        wait_until(lambda: server.ask(f"{path}?describe=1")["state"] != "recording", 10)
        content = server.fetch(path)
        note(f"recording {label}", {"bytes": len(content)})
        if folder := os.environ.get("GPUPERF_KEEP"):
            Path(folder, f"{label}.jsonl.gz").write_bytes(content)


def findings(server):
    """Return what is found now: (code, number of the device) → finding."""
    number = {uuid: index for index, uuid in enumerate(server.uuids)}
    return {
        (each["code"], number.get(each["device"])): each
        for each in server.ask("gpuperf/findings")["findings"]
    }


def loud(found):
    """Return what is above a note, without what is the hardware's own."""
    return {
        key for key, each in found.items() if each["severity"] != "info" and key[0] not in HARDWARES
    }


def words_of(found):
    """Return findings for people to read."""
    return [
        [code, device, each["severity"], each["confidence"], each["summary"], each["evidence"]]
        for (code, device), each in found.items()
    ]


def until_found(server, is_it, seconds):
    """Wait for findings that hold ``is_it``; return them, and after how long."""
    began = time.monotonic()
    while True:
        found = findings(server)
        elapsed = time.monotonic() - began
        if is_it(found) or elapsed > seconds:
            return found, round(elapsed, 1)
        time.sleep(0.25)


def numbers(values):
    """Return the readings that are values."""
    return [each for each in values if isinstance(each, (int, float))]


def environment():
    """Return the environment of a script that needs this package."""
    path = filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
