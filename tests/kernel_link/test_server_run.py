"""A kernel finds its own server, and nothing else, and runs a benchmark there."""

from __future__ import annotations

import json
import os
import socket
import threading

import pytest

from jupyter_gpuperf.errors import GpuPerfError, JobFailed
from jupyter_gpuperf.kernel_link.address import find_server, server_file_name
from jupyter_gpuperf.kernel_link.link import ServerLink
from jupyter_gpuperf.kernel_link.server_run import ServerRun, worker_environment
from jupyter_gpuperf.schemas import JobInfo, JobRequest, encode

PID = 4242
ENVIRONMENT = {"JPY_PARENT_PID": str(PID)}

JOB = JobInfo(
    id="1",
    benchmark="compute",
    parameters={},
    kernel_name=None,
    device=None,
    state="running",
    progress_ratio=0.5,
    progress_message="measuring",
    created_seconds=1.0,
    started_seconds=2.0,
    ended_seconds=None,
    result=None,
    error=None,
    log_tail="",
)


class Server:
    """The other end: notes what it hears, and says what a test tells it to."""

    def __init__(self, path):
        self.path = path
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self.connection = None

    def accept(self):
        self.connection, _ = self._listener.accept()
        self.lines = self.connection.makefile("rb")

    def heard(self):
        return json.loads(self.lines.readline())

    def close(self):
        self._listener.close()
        if self.connection is not None:
            self.lines.close()
            self.connection.close()


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path / "s.sock")
    yield server
    server.close()


@pytest.fixture
def run(server):
    run = ServerRun(
        ServerLink(lambda: server.path),
        JobRequest(benchmark="compute", parameters={"rounds": 3}, device="GPU-1"),
        interpreter="/opt/python",
        environment={"PYTHONPATH": "/mine", "AWS_SECRET_ACCESS_KEY": "hush", "LD_PRELOAD": "x.so"},
    )
    server.accept()
    yield run
    run.close()


def write_server_file(directory, path, pid=PID):
    content = {"socket": str(path), "pid": pid, "version": "1"}
    (directory / server_file_name(PID)).write_text(json.dumps(content))


def job_line(**changes):
    return json.dumps({**json.loads(encode(JOB)), "type": "job", **changes}).encode() + b"\n"


def test_the_server_is_found_by_the_pid_that_jupyter_gave_the_kernel(server, tmp_path):
    write_server_file(tmp_path, server.path)

    assert find_server([tmp_path / "elsewhere", tmp_path], ENVIRONMENT) == server.path


@pytest.mark.parametrize("pid", [None, "", "0", "-1", "4243", "../4242"])
def test_without_that_pid_there_is_no_server(server, tmp_path, pid):
    write_server_file(tmp_path, server.path)

    assert find_server([tmp_path], {} if pid is None else {"JPY_PARENT_PID": pid}) is None


def test_a_server_that_was_killed_is_not_found(tmp_path):
    dead = Server(tmp_path / "dead.sock")
    dead.close()
    write_server_file(tmp_path, dead.path)

    link = ServerLink(lambda: find_server([tmp_path], ENVIRONMENT))
    assert not link.connect()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"socket": 1}'])
def test_a_file_that_says_nothing_is_passed_over(tmp_path, content):
    (tmp_path / server_file_name(PID)).write_text(content)

    assert find_server([tmp_path], ENVIRONMENT) is None


def test_a_file_of_another_server_is_passed_over(server, tmp_path):
    write_server_file(tmp_path, server.path, pid=PID + 1)

    assert find_server([tmp_path], ENVIRONMENT) is None


def test_the_request_carries_the_kernels_python_and_no_secret(run, server):
    assert server.heard() == {
        "type": "run",
        "benchmark": "compute",
        "parameters": {"rounds": 3},
        "device": "GPU-1",
        "interpreter": "/opt/python",
        "environment": {"PYTHONPATH": "/mine"},
    }


def test_what_travels_is_a_short_list():
    everything = worker_environment(
        {**os.environ, "JPY_API_TOKEN": "t", "HF_TOKEN": "t", "CUDA_HOME": "/c"}
    )

    assert everything["CUDA_HOME"] == "/c"
    assert not any("TOKEN" in name or "SECRET" in name for name in everything)


def test_states_come_one_by_one_however_they_were_cut(run, server):
    both = job_line(progress_ratio=0.25) + job_line(progress_ratio=0.75)
    server.connection.sendall(both[:10])
    assert run.next(0.01) is None
    server.connection.sendall(both[10:])

    assert run.next(10).progress_ratio == 0.25
    assert run.next(0).progress_ratio == 0.75
    assert run.next(0) is None


def test_cancel_is_said(run, server):
    server.heard()
    run.cancel()

    assert server.heard() == {"type": "cancel"}


def test_a_refusal_keeps_its_code_message_and_hint(run, server):
    server.connection.sendall(
        b'{"type": "error", "code": "unknown_device", "message": "No.", "hint": "Look."}\n'
    )

    with pytest.raises(GpuPerfError) as error:
        run.next(10)
    assert error.value.to_dict() == {"code": "unknown_device", "message": "No.", "hint": "Look."}


@pytest.mark.parametrize("line", [b"garbage\n", b'{"type": "job"}\n', b'{"type": "news"}\n'])
def test_an_answer_that_makes_no_sense_is_a_coded_failure(run, server, line):
    server.connection.sendall(line)

    with pytest.raises(JobFailed) as error:
        run.next(10)
    assert error.value.code == "server_not_understood"


def test_a_server_that_hangs_up_is_a_coded_failure(run, server):
    closing = threading.Thread(target=lambda: server.connection.shutdown(socket.SHUT_RDWR))
    closing.start()

    with pytest.raises(JobFailed) as error:
        run.next(10)
    assert error.value.code == "server_gone"
    closing.join()
    run.cancel()  # nothing to tell, nobody to tell it to
