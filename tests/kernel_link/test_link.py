"""The kernel's end of the line: found, checked, bounded, never waited for; what a fork and an exit leave."""

from __future__ import annotations

import itertools
import json
import os
import socket
import subprocess
import sys
import time

import pytest

from jupyter_gpuperf.kernel_link import link as module
from jupyter_gpuperf.kernel_link import peer
from jupyter_gpuperf.kernel_link.link import FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS, ServerLink
from jupyter_gpuperf.schemas import encode
from jupyter_gpuperf.schemas.kernel_link import Cancel, MemoryReport, TorchMemory

LONG = MemoryReport(
    devices={f"GPU-{i}": TorchMemory(allocated_bytes=1, reserved_bytes=1) for i in range(1000)}
)


@pytest.fixture
def listener(tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen(2)
        listener.settimeout(10)
        yield listener


@pytest.fixture
def link(listener):
    link = ServerLink(listener.getsockname)
    yield link
    link.close()


@pytest.fixture
def clock(monkeypatch):
    """Time that passes only when a test says so."""

    class Clock:
        now = 1000.0

        @classmethod
        def monotonic(cls):
            return cls.now

    monkeypatch.setattr(module, "time", Clock)
    return Clock


def test_both_ends_speak_over_it(listener, link):
    assert link.send(Cancel())
    server, _ = listener.accept()
    with server:
        assert server.recv(100) == b'{"type":"cancel"}\n'
        server.sendall(encode(Cancel()) + b'\n{"type": "of a newer server"}\n')
        assert link.receive(10) == [Cancel(), None]
    assert link.receive(10) == []
    assert not link.connected


def test_a_name_that_is_no_utf8_is_sent_with_a_mark_in_its_place(listener, link):
    odd = {"caf\udce9": TorchMemory(allocated_bytes=1, reserved_bytes=1)}
    assert link.send(MemoryReport(devices=odd))
    server, _ = listener.accept()
    with server:
        message = json.loads(server.recv(1000))
    assert message["type"] == "holding"
    assert [*message["devices"]] == ["caf\ufffd"]


def test_after_a_failure_it_is_tried_again_later_each_time(tmp_path, clock):
    asked_at = []

    def find():
        asked_at.append(clock.now)

    link = ServerLink(find)
    for _ in range(4000):
        assert not link.send(Cancel())
        clock.now += 0.05
    waits = [after - before for before, after in itertools.pairwise(asked_at)]
    assert waits[0] == pytest.approx(FIRST_RETRY_SECONDS, abs=0.1)
    assert waits[1] == pytest.approx(2 * FIRST_RETRY_SECONDS, abs=0.1)
    assert waits[-1] == pytest.approx(LONGEST_RETRY_SECONDS, abs=0.1)


@pytest.mark.parametrize(
    ("lasted_seconds", "soon"), [(0.0, False), (LONGEST_RETRY_SECONDS + 1, True)]
)
def test_a_server_that_hangs_up_at_once_is_asked_less_and_less(
    listener, link, clock, lasted_seconds, soon
):
    for _ in range(5):
        clock.now += LONGEST_RETRY_SECONDS + 1
        assert link.connect()
        listener.accept()[0].close()
        clock.now += lasted_seconds
        link.receive(10)
        assert not link.connected
    clock.now += FIRST_RETRY_SECONDS + 0.1
    assert link.connect() == soon


def test_a_server_that_reads_nothing_is_never_waited_for_and_fills_no_memory(
    listener, link, monkeypatch
):
    monkeypatch.setattr(module, "LONGEST_UNSENT_BYTES", 200_000)
    slowest = 0.0
    for _ in range(200):
        began = time.perf_counter()
        sent = link.send(LONG)
        slowest = max(slowest, time.perf_counter() - began)
        assert len(link._unsent) <= 200_000
        if not sent:
            break
    assert not link.connected  # hung up on, rather than kept for
    assert slowest < 0.5


def test_a_server_that_has_taken_nothing_for_a_while_is_hung_up_on(listener, link, clock):
    while not link._unsent:
        assert link.send(LONG)
    clock.now += module.SEND_SECONDS + 0.1
    link.receive()
    assert not link.connected


def test_what_was_cut_short_is_sent_before_anything_else(listener, link):
    while not link._unsent:
        assert link.send(LONG)
    server, _ = listener.accept()
    received = b""
    with server:
        server.setblocking(False)
        while link._unsent:
            link.receive()  # with nothing more to say, the rest still goes out
            received += server.recv(1 << 20)
        assert link.send(Cancel())
        server.settimeout(10)
        while b"cancel" not in received:
            received += server.recv(1 << 20)
    *whole, last = received.splitlines()
    assert all(json.loads(each)["type"] == "holding" for each in whole)
    assert json.loads(last) == {"type": "cancel"}


def test_a_server_whose_backlog_is_full_is_not_waited_for(listener):
    links = [ServerLink(listener.getsockname) for _ in range(20)]
    began = time.perf_counter()
    connected = [link.connect() for link in links]
    assert time.perf_counter() - began < 1
    assert not all(connected)
    for link in links:
        link.close()


def test_a_message_that_never_ends_fills_no_memory(listener, link, monkeypatch):
    monkeypatch.setattr(module, "LONGEST_LINE_BYTES", 1000)
    link._lines = module.LineBuffer(1000)
    link.connect()
    server, _ = listener.accept()
    with server:
        server.sendall(b"x" * 5000)
        assert link.receive(10) == [None]
        server.sendall(b"x" * 5000 + b"\n" + encode(Cancel()) + b"\n")
        assert link.receive(10) == [Cancel()]


def test_another_users_server_is_not_spoken_to(listener, monkeypatch):
    monkeypatch.setattr(peer.os, "getuid", lambda: 4_000_000)
    link = ServerLink(listener.getsockname)
    assert not link.send(Cancel())
    server, _ = listener.accept()
    with server:
        assert server.recv(100) == b""


def test_more_files_than_select_can_wait_for_don_t_matter(listener, monkeypatch):
    # A notebook with many loaders has thousands of files open.
    resource = pytest.importorskip("resource")
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 1300:
        pytest.skip("so many files may not be open here")
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    link = ServerLink(listener.getsockname)
    try:
        assert link.send(Cancel())
        assert link.receive(0.01) == []
        assert link._socket.fileno() > 1024
    finally:
        link.close()
        for each in opened:
            os.close(each)


def is_open(descriptor):
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def test_a_forked_child_lets_go_of_every_link_and_opens_its_own(listener, link):
    assert link.send(Cancel())
    held = link._socket.fileno()
    server, _ = listener.accept()
    child = os.fork()
    if child == 0:
        own = ServerLink(listener.getsockname)
        fine = not link.connected and not link.send(Cancel()) and not is_open(held)
        os._exit(0 if fine and own.send(Cancel()) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    with server:
        assert server.recv(100)
        assert link.send(Cancel())  # the parent's is as it was
        assert server.recv(100)


KERNEL = """
import os, sys, time
from jupyter_gpuperf.kernel_link.link import ServerLink
from jupyter_gpuperf.schemas.kernel_link import Cancel
link = ServerLink(lambda: sys.argv[1])
assert link.send(Cancel())
if os.fork() == 0:  # a loader's worker, which outlives its kernel
    print(os.getpid(), flush=True)
    time.sleep(600)
if sys.argv[2] == "killed":
    os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("how", ["killed", "ended"])
def test_a_kernel_that_has_ended_has_hung_up_though_its_workers_live_on(listener, how):
    program = [sys.executable, "-c", KERNEL, listener.getsockname(), how]
    with subprocess.Popen(program, stdout=subprocess.PIPE) as kernel:
        worker = int(kernel.stdout.readline())
        try:
            server, _ = listener.accept()
            with server:
                server.settimeout(10)
                assert server.recv(100)
                assert server.recv(100) == b""
        finally:
            os.kill(worker, 9)


LOADS = """
import sys
import jupyter_gpuperf.kernel_link.server_run, jupyter_gpuperf.kernel_link.job_reporter
import jupyter_gpuperf.kernel_link.memory_reporter, jupyter_gpuperf.loops.telemetry
print([name for name in sys.modules if name.startswith(("tornado", "jupyter_server", "asyncio"))])
"""


def test_a_kernel_loads_no_part_of_the_server():
    done = subprocess.run([sys.executable, "-c", LOADS], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_a_descriptor_that_the_users_code_closed_is_left_alone(listener, link, tmp_path):
    assert link.send(Cancel())
    server, _ = listener.accept()
    number = link._socket.fileno()
    os.close(number)  # as os.closerange() in a program that becomes a daemon
    with server, (tmp_path / "own").open("w+b", buffering=0) as file:
        assert file.fileno() == number
        link.send(Cancel())
        link.receive()
        link.close()
        file.write(b"own")  # it is still open, and nothing else is in it
        file.seek(0)
        assert file.read() == b"own"


def test_a_server_that_has_gone_does_not_end_a_process_with_the_default_of_sigpipe(listener):
    code = """
import signal, sys
from pathlib import Path
from jupyter_gpuperf.kernel_link.link import ServerLink
from jupyter_gpuperf.schemas.kernel_link import Cancel

signal.signal(signal.SIGPIPE, signal.SIG_DFL)
link = ServerLink(lambda: Path(sys.argv[1]))
assert link.send(Cancel())
print("connected", flush=True)
sys.stdin.readline()
link.send(Cancel())
print("alive")
"""
    kernel = subprocess.Popen(
        [sys.executable, "-c", code, listener.getsockname()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert kernel.stdout.readline() == "connected\n"
    listener.accept()[0].close()
    assert kernel.communicate("\n")[0] == "alive\n"
    assert kernel.returncode == 0
