from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest
from job_tools import follow

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.jobs.interpreter import interpreter_of
from jupyter_gpuperf.jobs.manager import JobManager
from jupyter_gpuperf.schemas import JobRequest


def spec(*argv: str, language: str = "python", **env: str) -> SimpleNamespace:
    return SimpleNamespace(argv=list(argv), env=env, language=language, display_name="My kernel")


@pytest.mark.parametrize(
    "name", ["python", "python3", f"python3.{sys.version_info.minor}", sys.executable]
)
def test_the_server_s_own_python(name):
    assert interpreter_of(spec(name, "-m", "ipykernel", A="1")) == (sys.executable, {"A": "1"})


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (spec("/nowhere/bin/python3", "-m", "ipykernel"), "kernel_interpreter_missing"),
        (spec("bash", "-c", "conda run python"), "kernel_interpreter_unknown"),
        (spec("R", "--slave", language="R"), "kernel_not_python"),
        (spec(), "kernel_interpreter_unknown"),
    ],
)
def test_what_is_no_python_is_refused_with_what_to_do(wrong, code):
    with pytest.raises(BadRequest) as refusal:
        interpreter_of(wrong)
    assert refusal.value.code == code
    assert refusal.value.hint


@pytest.fixture(scope="module")
def foreign_python(tmp_path_factory):
    """A Python that has neither this package nor torch."""
    folder = tmp_path_factory.mktemp("foreign")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return str(folder / "bin" / "python")


def run(foreign_python, tmp_path, benchmark, **options):
    manager = JobManager(devices=list, deadline_seconds=60, lock_directory=tmp_path / "l")
    try:
        job = manager.submit(JobRequest(benchmark=benchmark), interpreter=foreign_python, **options)
        return follow(manager, job.id)[-1]
    finally:
        manager.close()


def test_the_worker_starts_where_this_package_is_not_and_says_what_is_missing(
    foreign_python, tmp_path
):
    job = run(foreign_python, tmp_path, "dataloader", environment={"PYTHONPATH": ""})
    assert (job.state, job.error.code) == ("failed", "package_missing")
    assert "torch" in job.error.message
    assert f"{foreign_python} -m pip install torch" in job.error.hint
    assert job.log_tail == ""


def test_nothing_of_the_server_s_environment_leaks_into_the_worker(foreign_python, tmp_path):
    (tmp_path / "torch.py").write_text("import msgspec")  # what only the server has
    job = run(foreign_python, tmp_path, "dataloader", environment={"PYTHONPATH": str(tmp_path)})
    assert job.error.code == "benchmark_failed"
    assert "No module named 'msgspec'" in job.error.message
