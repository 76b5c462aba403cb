"""Processes whose names are not UTF-8."""

from __future__ import annotations

import os
import subprocess
import sys

from jupyter_gpuperf.processes.attribution import Attribution
from jupyter_gpuperf.processes.process_table import ProcessTable
from jupyter_gpuperf.schemas import ListedProcess, encode


def test_a_process_with_a_name_that_is_not_utf8_hides_no_other(tmp_path, monkeypatch):
    monkeypatch.setattr(ProcessTable, "is_nested", False)
    program = os.path.join(os.fsencode(tmp_path), b"odd\xff) x")
    os.symlink(sys.executable, program)
    with subprocess.Popen([program, "-c", "input()"], stdin=subprocess.PIPE) as odd:
        listed = [
            ListedProcess(
                pid=pid, kinds=("compute",), memory_used_bytes=1.0, sm_utilization_percent=0.0
            )
            for pid in (odd.pid, os.getpid(), 0, 4_294_967_295)
        ]
        found = Attribution(table=ProcessTable()).of({"GPU-0": listed}, [])
        odd.kill()
    first, second, *unknown = found.devices["GPU-0"].processes
    assert first.command == "odd?) x -c"
    assert second.pid == os.getpid()
    assert [each.pid for each in unknown] == [None, None]
    assert encode(found)
