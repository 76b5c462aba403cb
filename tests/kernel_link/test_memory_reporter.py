"""What a kernel tells of itself: over a real socket, with torch's counters played."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from jupyter_gpuperf.kernel_link.link import ServerLink
from jupyter_gpuperf.kernel_link.memory_reporter import MemoryReporter, memory_report
from jupyter_gpuperf.schemas.kernel_link import MemoryReport, TorchMemory

ONE = MemoryReport(devices={"GPU-1": TorchMemory(allocated_bytes=1.0, reserved_bytes=2.0)})
MORE = MemoryReport(devices={"GPU-1": TorchMemory(allocated_bytes=3.0, reserved_bytes=4.0)})


class Server:
    """Hears what kernels say."""

    def __init__(self, path):
        self.path = path
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._listener.settimeout(10)
        self._opened = []

    def accept(self):
        connection, _ = self._listener.accept()
        connection.settimeout(10)
        lines = connection.makefile("rb")
        self._opened += [lines, connection]
        return lines

    def hang_up(self):
        for each in self._opened:
            each.close()
        self._opened.clear()

    def close(self):
        self.hang_up()
        self._listener.close()
        self.path.unlink(missing_ok=True)


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path / "s")
    yield server
    server.close()


@pytest.fixture
def report(server):
    """Start reporting what ``state.held`` is; return the state."""
    state = SimpleNamespace(held=MemoryReport())
    reporter = MemoryReporter(
        ServerLink(lambda: server.path if server.path.exists() else None),
        memory=lambda: state.held,
        interval_seconds=0.02,
    )
    state.reporter = reporter
    reporter.start()
    yield state
    reporter.stop()


def heard(lines):
    return json.loads(lines.readline())["devices"]


def test_what_is_held_is_told_when_it_changes(server, report):
    report.held = ONE
    lines = server.accept()
    assert heard(lines) == {"GPU-1": {"allocated_bytes": 1.0, "reserved_bytes": 2.0}}
    report.held = MORE
    assert heard(lines)["GPU-1"]["reserved_bytes"] == 4.0
    report.held = MemoryReport()
    assert heard(lines) == {}


def test_a_server_that_came_back_is_told_again(server, report):
    report.held = ONE
    assert heard(server.accept())
    server.hang_up()
    lines = server.accept()
    assert heard(lines)["GPU-1"]["reserved_bytes"] == 2.0


def test_stopping_hangs_up(server, report):
    report.held = ONE
    lines = server.accept()
    assert heard(lines)
    report.reporter.stop()
    assert lines.readline() == b""


def test_whatever_goes_wrong_the_notebook_does_not_hear_of_it(server):
    asked = threading.Semaphore(0)

    def fails():
        asked.release()
        raise RuntimeError("torch is odd today")

    reporter = MemoryReporter(ServerLink(lambda: server.path), memory=fails, interval_seconds=0.01)
    reporter.start()
    assert asked.acquire(timeout=5)
    assert asked.acquire(timeout=5)  # it went on
    reporter.stop()


class Cuda:
    """torch.cuda's counters."""

    def __init__(self, *reserved, initialized=True):
        self._reserved, self._initialized = reserved, initialized

    def is_initialized(self):
        return self._initialized

    def device_count(self):
        return len(self._reserved)

    def get_device_properties(self, index):
        return SimpleNamespace(uuid=f"aaaa-{index}")

    def memory_allocated(self, index):
        return self._reserved[index] // 2

    def memory_reserved(self, index):
        return self._reserved[index]


def test_devices_carry_the_drivers_uuid_and_those_without_memory_are_left_out():
    found = memory_report(SimpleNamespace(cuda=Cuda(0, 4096)))
    assert found.devices == {
        "GPU-aaaa-1": TorchMemory(allocated_bytes=2048.0, reserved_bytes=4096.0)
    }


@pytest.mark.parametrize("torch", [None, SimpleNamespace(cuda=Cuda(4096, initialized=False))])
def test_a_notebook_without_cuda_says_nothing_and_starts_no_context(torch):
    assert memory_report(torch) == MemoryReport()


LOADS = """
import threading
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "jupyter_gpuperf")
shell.run_line_magic("reload_ext", "jupyter_gpuperf")
print(sum(thread.name == "gpuperf-memory" for thread in threading.enumerate()))
"""


def test_one_thread_tells_in_a_container_and_none_elsewhere():
    here = subprocess.run([sys.executable, "-c", LOADS], check=True, capture_output=True, text=True)
    nested = os.readlink("/proc/self/ns/pid") != "pid:[4026531836]"
    assert here.stdout.strip().endswith("1" if nested else "0")
