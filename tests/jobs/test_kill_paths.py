"""Nothing of a worker survives, whoever is killed. Real processes."""

from __future__ import annotations

import gc
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from job_tools import NUMBERS, WORKERS, follow, is_alive, request, wait_until

from jupyter_gpuperf.jobs.process import WorkerProcess

STUBBORN = "ignores_sigterm_and_has_a_grandchild"

SERVER = """
import sys, time
from pathlib import Path
from jupyter_gpuperf.jobs.manager import JobManager
from jupyter_gpuperf.schemas import JobRequest

worker, number, locks = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
manager = JobManager(devices=lambda: [], deadline_seconds=600, worker=[worker], lock_directory=locks)
job = manager.submit(JobRequest(benchmark="dataloader", parameters={"items": number}))
while not manager.get(job.id).progress_message.startswith("pids"):
    time.sleep(0.01)
process = manager._jobs[job.id].process
print(process._process.pid, manager.get(job.id).progress_message.partition(" ")[2], flush=True)
time.sleep(600)
"""


def start_stubborn(manager):
    job = manager.submit(request(STUBBORN))
    wait_until(lambda: manager.get(job.id).progress_message.startswith("pids"))
    pids = [int(each) for each in manager.get(job.id).progress_message.split()[1:]]
    supervisor = manager._jobs[job.id].process._process.pid
    assert all(is_alive(pid) for pid in [supervisor, *pids])
    return job, [supervisor, *pids]


def test_cancelling_ends_a_worker_that_ignores_signals_and_its_grandchild(manager):
    job, pids = start_stubborn(manager)
    manager.cancel(job.id)
    wait_until(lambda: manager.get(job.id).state == "cancelled")
    # When the job says that it ended, they are gone already.
    assert not any(is_alive(pid) for pid in pids)


def test_the_deadline_ends_them_too(make_manager):
    manager = make_manager(deadline_seconds=4.0)  # until then it has begun, on a busy machine too
    job, pids = start_stubborn(manager)
    wait_until(lambda: manager.get(job.id).state == "failed")
    assert manager.get(job.id).error.code == "deadline_exceeded"
    assert not any(is_alive(pid) for pid in pids)


def test_a_worker_that_finishes_leaves_no_grandchild(manager):
    job = follow(manager, manager.submit(request("leaves_a_grandchild_and_finishes")).id)[-1]
    assert job.state == "done"
    assert not is_alive(job.result.environment["grandchild"])


@pytest.fixture
def start_server(tmp_path):
    """Start a process with a manager and a stubborn job; return it and the pids below it."""
    arguments = [str(WORKERS / "stand_in.py"), str(NUMBERS[STUBBORN]), str(tmp_path / "locks")]
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    servers = []

    def start():
        server = subprocess.Popen(
            [sys.executable, "-c", SERVER, *arguments],
            stdout=subprocess.PIPE,
            env={
                **os.environ,
                "PYTHONPATH": str(Path(__file__).parents[2]),
                "TMPDIR": str(scratch),
            },
        )
        servers.append(server)
        return server, [int(each) for each in server.stdout.readline().split()]

    yield start
    for server in servers:
        server.kill()
        server.wait()
        server.stdout.close()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_when_the_server_is_killed_nothing_is_left(start_server, how):
    server, pids = start_server()
    assert len(pids) == 3
    assert all(is_alive(pid) for pid in pids)
    server.send_signal(how)
    wait_until(lambda: not any(is_alive(pid) for pid in pids))


def test_when_the_supervisor_is_killed_the_worker_dies_and_the_job_says_so(manager):
    job, (supervisor, worker, grandchild) = start_stubborn(manager)
    os.kill(supervisor, signal.SIGKILL)
    wait_until(lambda: manager.get(job.id).state == "failed")
    assert manager.get(job.id).error.code == "worker_died"
    assert not any(is_alive(pid) for pid in (worker, grandchild))


@pytest.mark.parametrize("how", ["cancel", "deadline", "close"])
def test_when_the_supervisor_is_stopped_the_job_still_ends_and_frees_the_queue(make_manager, how):
    manager = make_manager(deadline_seconds=4.0 if how == "deadline" else 600.0)
    job, pids = start_stubborn(manager)
    os.kill(pids[0], signal.SIGSTOP)
    began = time.monotonic()
    if how == "cancel":
        manager.cancel(job.id)
    elif how == "close":
        manager.close()
    wait_until(lambda: manager.get(job.id).state in ("failed", "cancelled"))
    assert time.monotonic() - began < 15
    assert not any(is_alive(pid) for pid in pids)
    error = manager.get(job.id).error
    assert (error and error.code) == ("deadline_exceeded" if how == "deadline" else None)
    if how != "close":
        assert follow(manager, manager.submit(request()).id)[-1].state == "done"


def test_a_supervisor_that_is_stopped_before_it_reads_its_order_holds_up_nobody(
    manager, monkeypatch
):
    monkeypatch.setenv("LONG", "x" * 120_000)  # more than a pipe holds
    monkeypatch.setenv("LONG_TOO", "x" * 120_000)
    start = WorkerProcess.__init__

    def stopped(self, *args, **options):
        start(self, *args, **options)
        os.kill(self._process.pid, signal.SIGSTOP)

    monkeypatch.setattr(WorkerProcess, "__init__", stopped)
    job = manager.submit(request())
    wait_until(lambda: manager.get(job.id).state == "running")
    time.sleep(0.5)
    began = time.monotonic()
    manager.cancel(job.id)
    assert time.monotonic() - began < 1
    wait_until(lambda: manager.get(job.id).state == "cancelled")


def test_too_many_open_files_are_named_and_the_next_job_runs(manager):
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    gc.collect()  # files of tests before must not be closed meanwhile
    free = os.dup(0)  # the lowest number that is not in use
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, limits[1]))
    try:
        job = follow(manager, manager.submit(request()).id)[-1]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert (job.state, job.error.code) == ("failed", "worker_start_failed")
    assert "ulimit" in job.error.hint
    assert follow(manager, manager.submit(request()).id)[-1].state == "done"


def test_the_next_job_runs_after_a_killed_one(manager):
    job, _ = start_stubborn(manager)
    manager.cancel(job.id)
    assert follow(manager, manager.submit(request()).id)[-1].state == "done"


@pytest.mark.parametrize("who", ["the job", "the supervisor", "the worker"])
def test_temporary_files_go_whoever_is_ended(manager, tmp_path, monkeypatch, who):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    job, (supervisor, worker, _) = start_stubborn(manager)
    assert list(scratch.iterdir())
    if who == "the job":
        manager.cancel(job.id)
    else:
        os.kill({"the supervisor": supervisor, "the worker": worker}[who], signal.SIGKILL)
    wait_until(lambda: manager.get(job.id).ended_seconds)
    assert list(scratch.iterdir()) == []


def test_temporary_files_go_when_the_server_is_killed(start_server, tmp_path):
    server, _ = start_server()
    assert list((tmp_path / "scratch").iterdir())
    server.kill()
    wait_until(lambda: not list((tmp_path / "scratch").iterdir()))


def test_a_stopped_worker_is_ended_too(manager):
    job, pids = start_stubborn(manager)
    os.kill(pids[1], signal.SIGSTOP)
    manager.cancel(job.id)
    wait_until(lambda: manager.get(job.id).state == "cancelled")
    assert not any(is_alive(pid) for pid in pids)


def test_closing_returns_when_no_process_is_left(manager):
    _, pids = start_stubborn(manager)
    manager.close()
    assert not any(is_alive(pid) for pid in pids)
