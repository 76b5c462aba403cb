"""``GET doctor``: examined in a process of its own, in whichever Python is asked for."""

from __future__ import annotations

import asyncio
import json
import sys
import venv

import pytest

from jupyter_gpuperf.checks import CHECKS
from jupyter_gpuperf.jobs.check_runner import CheckTarget
from jupyter_gpuperf.schemas import DoctorReport
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
