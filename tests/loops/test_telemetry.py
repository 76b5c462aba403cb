"""What goes to the server, over a real socket: and that the loop hears nothing of it."""

from __future__ import annotations

import json
import os
import socket
import threading
import time

import pytest

from jupyter_gpuperf.kernel_link.link import ServerLink
from jupyter_gpuperf.loops import TelemetryThread
from jupyter_gpuperf.schemas import encode
from jupyter_gpuperf.schemas.cells import CellRan, Footprint
from jupyter_gpuperf.schemas.training import ExplainNow

pytest.importorskip("torch")


class Server:
    """Hears what a kernel says."""

    def __init__(self, path):
        self.path = path
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._listener.settimeout(20)
        self.connection = None
        self.lines = None

    def accept(self):
        self.connection, _ = self._listener.accept()
        self.connection.settimeout(20)
        self.lines = self.connection.makefile("rb")

    def hear(self, kind):
        while (message := json.loads(self.lines.readline()))["type"] != kind:
            pass
        return message

    def hear_tallies(self):
        while not (found := self.hear("steps"))["tallies"]:
            pass
        return found

    def say(self, message):
        self.connection.sendall(encode(message) + b"\n")

    def hang_up(self):
        if self.connection is not None:
            self.lines.close()
            self.connection.close()
        self.connection = None

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
def heard():
    return []


@pytest.fixture
def telemetry(watching, server, heard):
    telemetry = TelemetryThread(
        watching,
        ServerLink(lambda: server.path if server.path.exists() else None),
        hear=heard.append,
        kernel_id="k1",
        notebook_path="train.ipynb",
        interval_seconds=0.02,
    )
    telemetry.start()
    yield telemetry
    telemetry.stop(10)


def wait_until(condition):
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_that_one_watches_is_told_before_the_first_step_then_the_steps(
    watching, server, telemetry, loader
):
    server.accept()
    first = server.hear("steps")
    assert (first["kernel_id"], first["notebook_path"]) == ("k1", "train.ipynb")
    assert first["tallies"] == []
    watching.watch_everything()
    before = time.time()
    list(loader(items=40, batch_size=4))
    found = server.hear_tallies()
    (tally,) = found["tallies"]
    (info,) = found["loaders"]
    assert tally["loader"] == info["id"]
    assert info["batch_size"] == 4
    assert before - 1 < tally["began_seconds"] <= tally["ended_seconds"] < time.time() + 1


def test_a_server_that_came_back_is_told_again(watching, server, telemetry, loader):
    watching.watch_everything()
    server.accept()
    server.hear("steps")
    server.hang_up()
    server.accept()
    list(loader())
    assert server.hear_tallies()["tallies"]


def test_a_cell_is_told_and_answered(server, telemetry, heard):
    server.accept()
    cell = CellRan(
        kernel_id="k1",
        notebook_path=None,
        number=3,
        began_seconds=1.0,
        ended_seconds=2.0,
        device_uuids=[],
    )
    telemetry.cell_ran(cell)
    assert server.hear("cell")["number"] == 3
    answer = Footprint(number=3, busy_percent=50.0, busy_metric=None, energy_joules=None)
    server.connection.sendall(b'{"type": "of a newer server"}\n')
    server.say(answer)
    server.say(ExplainNow(steps=2))
    wait_until(lambda: len(heard) == 2)
    assert heard == [answer, ExplainNow(steps=2)]


def test_a_server_that_reads_nothing_stops_neither_the_thread_nor_the_loop(
    watching, server, telemetry, loader, monkeypatch
):
    monkeypatch.setattr("jupyter_gpuperf.kernel_link.link.SEND_SECONDS", 0.05)
    server.accept()
    server.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    watching.watch_everything()
    reports = telemetry._reports_count
    again = loader(items=400, batch_size=1)
    until = time.monotonic() + 1
    while time.monotonic() < until:
        list(again)
    wait_until(lambda: telemetry._reports_count > reports + 3)
    assert telemetry.is_alive()
    assert len(telemetry.totals) > 0  # for %gpuwatch itself


def test_without_a_server_the_notebook_still_knows_its_steps(watching, loader):
    telemetry = TelemetryThread(watching, ServerLink(lambda: None), interval_seconds=0.02)
    telemetry.start()
    watching.watch_everything()
    list(loader())
    wait_until(lambda: telemetry.totals)
    telemetry.stop(10)
    assert not telemetry.link.connected
    assert sum(tally.count for tally in telemetry.totals.values()) == 3


def test_whatever_goes_wrong_the_thread_goes_on(watching):
    asked = threading.Semaphore(0)

    def find():
        asked.release()
        raise RuntimeError("odd today")

    telemetry = TelemetryThread(watching, ServerLink(find), interval_seconds=0.01)
    telemetry.link._retry_seconds = 0.0
    telemetry.start()
    assert asked.acquire(timeout=10)
    assert asked.acquire(timeout=10)
    telemetry.stop(10)


def test_a_forked_child_lets_go_of_its_parents_connection(server, telemetry, watching, loader):
    server.accept()
    wait_until(lambda: telemetry.link.connected)
    held = telemetry.link._socket.fileno()
    child = os.fork()
    if child == 0:
        try:
            os.fstat(held)
        except OSError:
            os._exit(0)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    watching.watch_everything()
    list(loader())
    assert server.hear_tallies()  # the parent's is as it was
