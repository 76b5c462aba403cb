"""``GET doctor``: examined in a process of its own, in whichever Python is asked for."""

from __future__ import annotations

import asyncio
import json
import sys
import venv

import msgspec
import pytest

from jupyter_gpuperf.checks import CHECKS
from jupyter_gpuperf.jobs.check_runner import CheckTarget
from jupyter_gpuperf.schemas import CheckFinding, DoctorReport
from jupyter_gpuperf.server.examinations import KEPT_SECONDS, Examinations


@pytest.fixture
def bare_python(tmp_path, monkeypatch, jp_environ):
    """A kernel spec of an environment that has nothing, this package least of all."""
    folder = tmp_path / "bare"
    venv.create(folder, with_pip=False)
    spec = tmp_path / "kernels" / "bare"
    spec.mkdir(parents=True)
    command = [str(folder / "bin" / "python"), "-m", "ipykernel_launcher"]
    about = {"argv": command, "display_name": "Bare", "language": "python"}
    (spec / "kernel.json").write_text(json.dumps({**about, "env": {"CUDA_LAUNCH_BLOCKING": "1"}}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.delenv("PYTHONPATH")  # the server of the tests finds its packages there
    return folder


async def test_the_checks_run_in_the_kernel_s_own_python_with_its_variables(bare_python, get):
    report = await get("doctor", kernel="bare")
    assert report["kernel_name"] == "bare"
    assert report["interpreter"] == str(bare_python / "bin" / "python")
    assert report["packages"] == {}
    checks = {each["id"]: each for each in report["checks"]}
    assert list(checks) == [check.name for check in CHECKS]
    assert checks["launch_blocking"]["status"] == "fail"
    assert checks["torch_imports"]["status"] == "warn"
    assert (
        checks["jupyter_versions"]["status"] == "ok"
    )  # the server's own, from the kernel's Python
    assert {"id", "status", "found", "expected", "why", "fix"} <= set(checks["blas"])


async def test_an_unknown_kernel_is_refused(refusal):
    status, body = await refusal("doctor", params={"kernel": "nobody"})
    assert (status, body["code"]) == (404, "unknown_kernel")


class CheckRunner:
    """Answers at once, and counts."""

    def __init__(self):
        self.asked = []

    def run(self, target):
        self.asked.append(target.kernel_name)
        return DoctorReport(
            checks=[],
            kernel_name=target.kernel_name,
            interpreter=sys.executable,
            environment={},
            packages={},
            taken_seconds=float(len(self.asked)),
            duration_seconds=0.0,
        )


async def test_an_environment_is_examined_once_for_all_who_ask_and_anew_when_asked():
    check_runner, now = CheckRunner(), [0.0]
    doctor = Examinations(check_runner, clock=lambda: now[0])
    assert doctor.recent(None) is None
    first = await asyncio.gather(*(doctor.examine(CheckTarget()) for _ in range(5)))
    assert {each.taken_seconds for each in first} == {1.0}
    assert (await doctor.examine(CheckTarget(kernel_name="other"))).kernel_name == "other"
    assert doctor.recent(None).taken_seconds == 1.0
    assert (await doctor.examine(CheckTarget())).taken_seconds == 3.0
    now[0] = KEPT_SECONDS + 1
    assert doctor.recent(None) is None
    assert check_runner.asked == [None, "other", None]


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "data:text/html,x", " https://a", "//a", ""]
)
def test_only_the_address_of_a_web_page_is_passed_on(link):
    texts = dict.fromkeys(("subject", "label", "found", "expected", "why", "fix", "then"), "x")
    check = {"id": "odd", "status": "ok", "seconds": None, **texts}
    assert msgspec.convert({**check, "link": link}, CheckFinding).link == ""
    web = "https://docs.python.org/3/"
    assert msgspec.convert({**check, "link": web}, CheckFinding).link == web


@pytest.fixture
def lying_python(tmp_path, monkeypatch, jp_environ):
    """A kernel whose Python answers the doctor with what a terminal and a browser would obey."""
    texts = dict.fromkeys(("subject", "label", "found", "expected", "why", "then"), "a\rb")
    check = {"id": "odd", "status": "fail", "seconds": 0.1, **texts}
    check |= {"fix": "pip list\rrm -rf x\n\x1b[Als\x00", "link": "javascript:alert(1)"}
    report = {"checks": [check], "kernel_name": "lying", "interpreter": "\ud800", "environment": {}}
    report |= {"packages": {"a\r": "\x1b[31m1"}, "taken_seconds": 1.0, "duration_seconds": 1.0}
    answer = json.dumps({"type": "result", "result": report})
    program = tmp_path / "python"
    program.write_text(f"#!{sys.executable}\nprint({answer!r})\n")
    program.chmod(0o755)
    spec = tmp_path / "kernels" / "lying"
    spec.mkdir(parents=True)
    command = [str(program), "-m", "ipykernel_launcher"]
    about = {"argv": command, "display_name": "Lying", "language": "python"}
    (spec / "kernel.json").write_text(json.dumps(about))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))


async def test_a_kernels_own_report_is_text_and_no_more(lying_python, get):
    report = await get("doctor", kernel="lying")
    (check,) = report["checks"]
    assert check["link"] == ""
    assert check["fix"] == "pip list\ufffdrm -rf x\nls\ufffd"
    assert check["found"] == "a\ufffdb"
    assert (report["interpreter"], report["packages"]) == ("\ufffd", {"a\ufffd": "1"})
