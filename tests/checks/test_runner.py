"""All checks at once: none raises, none hangs, and the report is complete."""

from __future__ import annotations

import json
import sys
import threading
import types

import msgspec

from jupyter_gpuperf.checks import CHECKS, Check
from jupyter_gpuperf.checks.declaration import broken, fine, suspect
from jupyter_gpuperf.checks.probes.kernel import kernel_facts
from jupyter_gpuperf.checks.probes.machine import Machine, run_command
from jupyter_gpuperf.checks.runner import examine, run_request
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.schemas import DoctorReport


def check(name: str, run, seconds: float = 5.0) -> Check:
    return Check(
        name=name, label="l", why="w", expected="e", run=run, link="https://x", seconds=seconds
    )


def test_values_fill_both_sentences_of_an_outcome_and_leave_messages_alone():
    filled = suspect("{mib:.0f} MiB.", then="Of {total} MiB.", mib=1.2, total=8)
    assert (filled.found, filled.then) == ("1 MiB.", "Of 8 MiB.")
    message = Message("{name} sets it.", name="{kernel}")
    assert suspect("{mib} MiB.", then=message, mib=1).then is message


def test_a_check_that_raises_or_hangs_is_unknown_and_hides_no_other():
    never = threading.Event()

    def raises(_machine):
        raise ZeroDivisionError("by zero")

    checks = [
        check("raises", raises),
        check("exits", lambda _: sys.exit("no licence")),
        check("returns a text", lambda _: "fine"),
        check("hangs", lambda _: never.wait() and fine(""), seconds=0.1),
        check("works", lambda _: broken("It is broken.", fix="repair")),
    ]
    findings = {each["id"]: each for each in examine(Machine(package_folders=[]), checks)["checks"]}
    never.set()
    assert findings["raises"]["status"] == "unknown"
    assert "ZeroDivisionError('by zero')" in findings["raises"]["found"]
    assert "SystemExit('no licence')" in findings["exits"]["found"]
    assert "returned 'fine' instead of an Outcome" in findings["returns a text"]["found"]
    assert findings["hangs"]["status"] == "unknown"
    assert findings["hangs"]["seconds"] is None
    assert (findings["works"]["status"], findings["works"]["fix"]) == ("fail", "repair")
    assert findings["works"]["expected"] == "e"


def test_the_workers_report_fits_the_schema(make):
    messages = []
    parameters = {"kernel_name": "k", "folder": ".", "unset": ["TMPDIR"]}
    run_request({"parameters": parameters}, messages.append)
    (message,) = json.loads(json.dumps(messages))
    report = msgspec.convert(message["result"], DoctorReport)
    assert report.kernel_name == "k"
    assert [each.id for each in report.checks] == [each.name for each in CHECKS]
    assert report.packages["msgspec"]


def test_a_hanging_program_is_stopped_and_a_missing_one_reported():
    slow = run_command([sys.executable, "-c", "input(); import time; time.sleep(60)"], 0.5, {})
    assert slow.code in (None, 1)  # it has no terminal to read from
    hanging = run_command([sys.executable, "-c", "import time; time.sleep(60)"], 0.5, {})
    assert hanging.code is None
    assert "did not end" in hanging.err
    assert "No such file" in run_command(["/gone/program"], 1.0, {}).err


def test_a_program_runs_once_for_all_checks(make):
    machine, programs = make(), []
    inner = machine.run_command
    machine.run_command = lambda *words: programs.append(words[0][0]) or inner(*words)
    examine(machine, CHECKS)
    assert programs.count("nvidia-smi") == 1
    assert len(programs) == len(set(programs)) + 1  # /env/bin/python for torch, and for CUDA


def test_a_kernel_reports_torch_only_if_it_is_loaded(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert "torch" not in kernel_facts()
    InlineBackend = type("InlineBackend", (), {"figure_formats": {"retina"}})  # noqa: N806
    shell = types.SimpleNamespace(configurables=[InlineBackend()])
    assert kernel_facts(shell)["inline_formats"] == ["retina"]
