"""The socket between a server and its kernels: who may use it, and what it withstands."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_gpuperf.jobs.kernel_jobs import KernelJobs
from jupyter_gpuperf.jobs.manager import JobManager
from jupyter_gpuperf.kernel_link import peer
from jupyter_gpuperf.kernel_link.address import find_server, server_file_name
from jupyter_gpuperf.kernel_link.listener import KernelListener
from jupyter_gpuperf.kernel_link.memory_reports import MemoryReports
from jupyter_gpuperf.kernel_link.router import LOG_SECONDS, LONGEST_LINE_BYTES, RefusalLog
from jupyter_gpuperf.schemas.kernel_link import Cancel, MemoryReport, RunRequest

LONG_JOB = {"benchmark": "dataloader", "parameters": {"workers": 0, "rigorous": True}}


@pytest.fixture
def manager(tmp_path):
    manager = JobManager(devices=list, deadline_seconds=60, lock_directory=tmp_path)
    yield manager
    manager.close()


def listener(manager, directory, **options):
    jobs = KernelJobs(manager)
    handlers = {RunRequest: jobs.run, Cancel: jobs.cancel}
    return KernelListener(handlers, runtime_directory=directory, **options)


@pytest.fixture
def served(manager, tmp_path, jp_asyncio_loop):
    served = listener(manager, tmp_path, version="1")
    jp_asyncio_loop.run_until_complete(served.start())
    yield served
    jp_asyncio_loop.run_until_complete(served.stop())


def announced(directory: Path) -> dict:
    return json.loads((directory / server_file_name(os.getpid())).read_bytes())


class Kernel:
    """A kernel's end, speaking raw lines."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @classmethod
    async def of(cls, directory):
        return cls(*await asyncio.open_unix_connection(announced(directory)["socket"]))

    async def say(self, line):
        text = line if isinstance(line, bytes) else json.dumps(line).encode()
        self.writer.write(text + b"\n")
        await self.writer.drain()

    async def hear(self):
        return json.loads(await asyncio.wait_for(self.reader.readline(), 30))

    async def hear_state(self, state):
        while (message := await self.hear()).get("state") != state:
            pass
        return message

    async def hear_error(self):
        while (message := await self.hear())["type"] != "error":
            pass
        return message

    def hang_up(self):
        self.writer.close()


@pytest.fixture
def dead_pid():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def kernel(served, tmp_path, jp_asyncio_loop):
    kernel = jp_asyncio_loop.run_until_complete(Kernel.of(tmp_path))
    yield kernel
    kernel.hang_up()


async def until_ended(manager, job_id):
    async def wait():
        while manager.get(job_id).state in ("queued", "running"):
            await asyncio.sleep(0.01)

    await asyncio.wait_for(wait(), 10)
    return manager.get(job_id).state


async def test_only_this_user_may_open_what_the_server_leaves(served, tmp_path):
    file = tmp_path / server_file_name(os.getpid())
    path = Path(announced(tmp_path)["socket"])

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.is_socket()


async def test_nothing_is_left_after_stop(served, tmp_path):
    await served.stop()

    assert [each.name for each in tmp_path.glob("gpuperf-*")] == []


async def test_a_long_runtime_directory_gets_a_short_private_socket(manager, tmp_path):
    directory = tmp_path / ("long" * 30)
    served = listener(manager, directory)
    await served.start()
    path = Path(announced(directory)["socket"])

    assert len(os.fsencode(path)) <= peer.LONGEST_PATH_BYTES
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert find_server([directory], {"JPY_PARENT_PID": str(os.getpid())}) == path

    await served.stop()
    assert not path.parent.exists()


async def test_files_of_servers_that_were_killed_are_cleaned_at_start(manager, tmp_path, dead_pid):
    stale = tmp_path / server_file_name(dead_pid)
    left = tmp_path / f"gpuperf-{dead_pid}.sock"
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(left))
    stale.write_text(json.dumps({"socket": str(left), "pid": dead_pid, "version": "1"}))
    living = tmp_path / server_file_name(os.getppid())
    living.write_text(json.dumps({"socket": "/nowhere", "pid": os.getppid(), "version": "1"}))

    served = listener(manager, tmp_path)
    await served.start()

    assert not stale.exists()
    assert not left.exists()
    assert living.exists()
    await served.stop()


async def test_a_stale_file_can_not_name_a_victim(manager, tmp_path, dead_pid):
    precious = tmp_path / "thesis.txt"
    precious.write_text("words")
    stale = tmp_path / server_file_name(dead_pid)
    stale.write_text(json.dumps({"socket": str(precious), "pid": dead_pid, "version": "1"}))

    served = listener(manager, tmp_path)
    await served.start()
    await served.stop()

    assert precious.read_text() == "words"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"garbage", "malformed_json"),
        (b"\xff\xfe", "malformed_json"),
        (b"", "malformed_json"),
        (b"[]", "invalid_request"),
        ({"type": "dance"}, "invalid_request"),
        ({"type": "run"}, "invalid_request"),
        ({"type": "run", "benchmark": "x", "sudo": True}, "invalid_request"),
        ({"type": "run", "benchmark": "unheard-of"}, "unknown_benchmark"),
        ({"type": "run", "benchmark": "compute", "device": "GPU-x"}, "unknown_device"),
        ({"type": "run", "benchmark": "compute", "parameters": {"x": 1}}, "unknown_parameter"),
        (b"x" * (3 * LONGEST_LINE_BYTES), "line_too_long"),
    ],
)
async def test_a_bad_line_gets_a_coded_answer_and_the_connection_goes_on(kernel, line, code):
    await kernel.say(line)
    answer = await kernel.hear()
    assert (answer["type"], answer["code"]) == ("error", code)
    assert answer["message"]

    await kernel.say({"type": "cancel"})  # means nothing without a job
    await kernel.say(b"{}")
    assert (await kernel.hear())["code"] == "invalid_request"


async def test_cancel_ends_the_job_and_says_so(kernel, manager):
    await kernel.say({"type": "run", **LONG_JOB})
    job = await kernel.hear_state("running")
    assert job["type"] == "job"

    await kernel.say({"type": "run", **LONG_JOB})
    assert (await kernel.hear_error())["code"] == "job_running"

    await kernel.say({"type": "cancel"})
    assert (await kernel.hear_state("cancelled"))["id"] == job["id"]


async def test_hanging_up_cancels_that_kernels_job_alone(served, manager, tmp_path):
    leaving, staying = await Kernel.of(tmp_path), await Kernel.of(tmp_path)
    await leaving.say({"type": "run", **LONG_JOB})
    await staying.say({"type": "run", **LONG_JOB})
    left, kept = await leaving.hear(), await staying.hear()

    leaving.hang_up()

    assert await until_ended(manager, left["id"]) == "cancelled"
    assert manager.get(kept["id"]).state in ("queued", "running")
    staying.hang_up()
    assert await until_ended(manager, kept["id"]) == "cancelled"


async def test_stop_cancels_what_runs(served, kernel, manager):
    await kernel.say({"type": "run", **LONG_JOB})
    job = await kernel.hear()

    await served.stop()

    assert await until_ended(manager, job["id"]) == "cancelled"


async def test_another_users_connection_is_closed_unheard(manager, tmp_path):
    served = listener(manager, tmp_path, same_user=lambda _connection: False)
    await served.start()
    stranger = await Kernel.of(tmp_path)

    assert await asyncio.wait_for(stranger.reader.read(), 10) == b""
    stranger.hang_up()
    await served.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="SO_PEERCRED is Linux's")
async def test_what_a_kernel_holds_is_known_while_it_is_connected(
    manager, tmp_path, jp_asyncio_loop
):
    holdings = MemoryReports()
    handlers = {MemoryReport: holdings.take}
    served = KernelListener(handlers, runtime_directory=tmp_path)
    await served.start()
    kernel = await Kernel.of(tmp_path)
    held = {"allocated_bytes": 1.0, "reserved_bytes": 2.0}

    await kernel.say({"type": "holding", "devices": {"GPU-1": held, "GPU-2": held}})
    await until(lambda: len(holdings.current()) == 2)
    assert {each.device for each in holdings.current()} == {"GPU-1", "GPU-2"}
    assert {each.pid for each in holdings.current()} == {os.getpid()}  # as the system tells, not it

    await kernel.say({"type": "holding", "devices": {"GPU-2": held}})
    await until(lambda: [each.device for each in holdings.current()] == ["GPU-2"])
    kernel.hang_up()
    await until(lambda: holdings.current() == [])
    await served.stop()


async def until(condition):
    async def wait():
        while not condition():
            await asyncio.sleep(0.01)

    await asyncio.wait_for(wait(), 10)


def test_a_peer_of_the_same_user_is_known_as_such():
    here, there = socket.socketpair(socket.AF_UNIX)
    with here, there:
        assert peer.same_user(here)


def test_refusals_are_logged_once_a_minute_on_one_line(caplog):
    now = 0.0
    refusals = RefusalLog(clock=lambda: now)
    for _ in range(1000):
        refusals.add(7, "odd\nCRITICAL forged")
    now = LOG_SECONDS
    refusals.add(8, "odd")
    first, second = (each.getMessage() for each in caplog.records)
    assert "process 7" in first
    assert "\n" not in first
    assert "process 8" in second
    assert "1000 since" in second
