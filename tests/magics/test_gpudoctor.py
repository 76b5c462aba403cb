"""``%gpudoctor``, ``gpuperf.doctor()`` and ``jupyter gpuperf doctor``: one report, shown for reading."""

from __future__ import annotations

import json
from dataclasses import asdict

import msgspec
import pytest

import jupyter_gpuperf
from jupyter_gpuperf import cli
from jupyter_gpuperf.checks.declaration import suspect
from jupyter_gpuperf.client.failures import BenchmarkError
from jupyter_gpuperf.display.doctor_report import DoctorReportView
from jupyter_gpuperf.jobs.check_runner import CheckRunner, CheckTarget
from jupyter_gpuperf.messages import with_messages
from jupyter_gpuperf.schemas import CheckFinding, DoctorReport


def finding(name: str, status: str, fix: str = "") -> CheckFinding:
    return CheckFinding(
        id=name,
        subject="driver",
        label=name.capitalize(),
        status=status,
        found=f"<{name}> was found.",
        expected="Something else.",
        why="It matters.",
        fix=fix,
        then="",
        link="https://example.org",
        seconds=0.1,
    )


REPORT = DoctorReport(
    checks=[],
    kernel_name=None,
    interpreter="/env/bin/python",
    environment={},
    packages={},
    taken_seconds=1.0,
    duration_seconds=1.0,
)
SHARED_MEMORY = {
    **msgspec.to_builtins(finding("shared_memory", "warn"), enc_hook=str),
    "label": "Shared memory (/dev/shm)",
}


@pytest.fixture(autouse=True)
def _in_english(monkeypatch):
    monkeypatch.setenv("LC_ALL", "C.UTF-8")


@pytest.fixture
def asked(monkeypatch) -> list[CheckTarget]:
    """Which targets the runner was asked about; it answers at once."""
    checks = [
        finding("quiet", "ok"),
        finding("slow", "warn", "type this\nand this"),
        finding("dark", "unknown"),
        finding("broken", "fail", "fix it"),
    ]
    report = msgspec.structs.replace(REPORT, checks=checks)
    asked: list[CheckTarget] = []
    monkeypatch.setattr(CheckRunner, "run", lambda _, target: asked.append(target) or report)
    return asked


def test_the_magic_looks_at_this_very_process_and_shows_what_is_wrong_first(asked, shell):
    shown = shell.run_line_magic("gpudoctor", "")
    assert isinstance(shown, DoctorReportView)
    (target,) = asked
    assert target.pid is not None
    text = repr(shown)
    assert text.startswith("4 checks, 1 failure, 1 warning")
    assert text.index("✕ Broken") < text.index("⚠ Slow")
    assert "To fix it, run\n    type this\n    and this" in text
    assert "Quiet" not in text
    assert "Quiet" in repr(shell.run_line_magic("gpudoctor", "--all"))


def test_what_was_found_is_text_in_html(asked, shell):
    page = shell.run_line_magic("gpudoctor", "")._repr_html_()
    assert "&lt;broken&gt; was found." in page
    assert "<broken>" not in page


def test_the_function_answers_the_same_and_is_the_package_of_the_checks(asked):
    assert jupyter_gpuperf.doctor().failed


def test_the_command_fails_when_something_does_not_work(asked, capsys):
    assert cli.main(["doctor", "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert {"id", "status", "found", "expected", "why", "fix"} <= set(answer["checks"][0])


def test_a_report_is_saved_and_the_next_is_held_against_it(asked, tmp_path, capsys):
    path = tmp_path / "before.json"
    cli.main(["doctor", "--save", str(path)])
    capsys.readouterr()
    assert cli.main(["doctor", "--compare", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"changes": []}


def test_what_is_mistyped_is_refused(asked, shell, capsys):
    assert cli.main(["doctor", "--kernel", "nobody", "--json"]) == 2
    assert json.loads(capsys.readouterr().err)["code"] == "unknown_kernel"
    assert cli.main(["doctor", "--warp"]) == 2
    with pytest.raises(BenchmarkError) as error:
        shell.run_line_magic("gpudoctor", "--warp")
    assert error.value.code == "usage"


def test_the_report_is_in_the_shell_s_language(monkeypatch):
    """A check's result as the worker sends it: the label is a constant, the sentence has figures."""
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    told = suspect("Only {mib:.0f} MiB: several workers may fill it.", mib=512)
    row = {**SHARED_MEMORY, **with_messages(asdict(told))}
    check = msgspec.json.decode(json.dumps(row), type=CheckFinding)
    text = repr(DoctorReportView(msgspec.structs.replace(REPORT, checks=[check])))
    assert "共享内存（/dev/shm）" in text
    assert "1 项检查" in text
    assert "512 MiB" in text
    assert "several workers" not in text
