"""Two trainings on one device, while the other has nothing to do."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from looking import DRY, environment, findings, recorded, until_found, words_of
from real_server import ROOT, serving

WORKLOADS = Path(__file__).parents[1] / "workloads"
CONTENDED = ROOT / "tests" / "recordings" / "h100_contention_two_processes.jsonl.gz"
IDLE = ROOT / "tests" / "recordings" / "h100_idle.jsonl.gz"


@pytest.mark.seconds(120)
def test_two_trainings_on_one_device_are_told_of_that_device_alone(server, note, tmp_path):
    with contextlib.ExitStack() as stack:
        if DRY:
            server = stack.enter_context(serving(tmp_path, f"replay:{CONTENDED},{IDLE}"))
            server.uuids = [each["uuid"] for each in server.ask("gpuperf/devices")["devices"]]
        until_found(server, lambda found: not found, 20)  # what was told of the tests before
        program = [sys.executable, str(WORKLOADS / "two_trainings.py"), "--seconds", "60"]
        both = subprocess.Popen(
            [*program, *(["--dry"] if DRY else [])], env=environment(), start_new_session=True
        )
        stack.callback(_end_all, both)
        stack.enter_context(recorded(server, "two_contended", note))
        found, seconds = until_found(server, lambda found: ("gpu-contention", 0) in found, 60)
        time.sleep(2 if DRY else 6)
        found |= findings(server)
        note("contention", {"after_seconds": seconds, "findings": words_of(found)})
    assert ("gpu-contention", 0) in found
    assert not [code for code, device in found if device == 1]


def _end_all(process):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
