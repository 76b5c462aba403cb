"""One measurement at a time on a device, whichever process asks. See also test_placing.py."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from job_tools import follow, request, wait_until

from jupyter_gpuperf.jobs import posix
from jupyter_gpuperf.jobs.device_assignment import HOST_KEY, lock_path

HOLDER = """
import sys, time
from pathlib import Path
from jupyter_gpuperf.jobs import posix
descriptor = posix.try_lock(Path(sys.argv[1]))
print("held" if descriptor is not None else "refused", flush=True)
time.sleep(600)
"""


@pytest.fixture
def hold():
    """Try to lock a path in another process; return that and what came of it."""
    holders = []

    def hold(path):
        holders.append(
            subprocess.Popen(
                [sys.executable, "-c", HOLDER, str(path)],
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            )
        )
        return holders[-1], holders[-1].stdout.readline().strip()

    yield hold
    for holder in holders:
        holder.kill()
        holder.wait()
        holder.stdout.close()


@pytest.fixture
def path(tmp_path):
    return lock_path("GPU-a", tmp_path / "locks")


def test_two_processes_can_not_hold_one_lock(hold, path):
    _, first = hold(path)
    _, second = hold(path)
    assert (first, second) == ("held", "refused")
    assert posix.try_lock(path) is None


def test_devices_have_locks_of_their_own(hold, path, tmp_path):
    _, first = hold(path)
    _, second = hold(lock_path("GPU-b", tmp_path / "locks"))
    assert (first, second) == ("held", "held")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_lock_is_free_when_its_holder_is_killed(hold, path, how):
    holder, _ = hold(path)
    holder.send_signal(how)
    holder.wait()
    descriptor = posix.try_lock(path)
    assert descriptor is not None
    os.close(descriptor)


def test_a_job_waits_for_a_foreign_holder_and_runs_when_it_is_gone(hold, make_manager, tmp_path):
    manager = make_manager()  # without devices, all share the host's lock
    holder, _ = hold(lock_path(HOST_KEY, tmp_path / "locks"))
    job = manager.submit(request())
    wait_until(lambda: "another server" in manager.get(job.id).progress_message)
    assert manager.get(job.id).state == "queued"
    holder.kill()
    assert follow(manager, job.id)[-1].state == "done"


def test_the_lock_is_free_after_a_job(manager, tmp_path):
    follow(manager, manager.submit(request()).id)
    descriptor = posix.try_lock(lock_path(HOST_KEY, tmp_path / "locks"))
    assert descriptor is not None
    os.close(descriptor)


def test_where_nothing_can_be_locked_the_job_runs_all_the_same(make_manager, tmp_path, caplog):
    (tmp_path / "locks").write_text("a file in the place of the folder")
    manager = make_manager()
    assert follow(manager, manager.submit(request()).id)[-1].state == "done"
    assert "can't be locked" in caplog.text
