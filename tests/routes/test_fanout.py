"""The fan-out: everybody gets the newest message, one client per turn of the loop."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import SimpleNamespace

import pytest

from jupyter_gpuperf.server import fanout as fanout_module
from jupyter_gpuperf.server.fanout import LONGEST_GAP_SECONDS, ROUND_SECONDS, Fanout


class Client:
    """Takes messages at once, or when it is told to."""

    def __init__(self, fanout: Fanout, *, stalled: bool = False) -> None:
        self.got: list[bytes] = []
        self.stalled = stalled
        self.taking: asyncio.Future[None] | None = None
        self.outbox = fanout.add(self.send)

    def send(self, message: bytes) -> asyncio.Future[None]:
        self.got.append(message)
        self.taking = asyncio.get_running_loop().create_future()
        if not self.stalled:
            self.taking.set_result(None)
        return self.taking


async def settle(clients: list[Client], message: bytes) -> None:
    """Wait until all clients got ``message``."""
    while not all(message in client.got for client in clients):
        await asyncio.sleep(0.001)


@pytest.fixture
def fanout() -> Fanout:
    return Fanout()


async def test_other_work_runs_between_two_clients(fanout):
    clients = [Client(fanout) for _ in range(20)]
    for client in clients:
        client.outbox.offer(b"1", "frames")
    seen = []
    while len(seen) < 20:
        seen.append(sum(len(client.got) for client in clients))
        if seen[-1] == 20:
            break
        await asyncio.sleep(0)
    assert max(after - before for before, after in zip([0, *seen], seen, strict=False)) <= 1


async def test_a_stalled_client_gets_the_newest_when_it_comes_back(fanout):
    stalled, quick = Client(fanout, stalled=True), Client(fanout)
    for number in range(5):
        message = b"%d" % number
        for client in (stalled, quick):
            client.outbox.offer(message, "frames")
        await settle([quick], message)
    assert stalled.got == [b"0"]
    assert stalled.outbox.waiting == {"frames": b"4"}
    stalled.taking.set_result(None)
    await settle([stalled], b"4")
    assert stalled.got == [b"0", b"4"]
    assert quick.got == [b"0", b"1", b"2", b"3", b"4"]


async def test_a_client_that_left_stops_nobody(fanout):
    gone, stays = Client(fanout, stalled=True), Client(fanout)
    gone.outbox.offer(b"0", "frames")
    await settle([gone], b"0")
    gone.outbox.offer(b"1", "frames")
    gone.taking.set_exception(OSError("closed"))
    stays.outbox.offer(b"1", "frames")
    await settle([stays], b"1")
    assert gone.got == [b"0"]


async def test_the_last_message_arrives_however_fast_threads_offer(fanout):
    clients = [Client(fanout) for _ in range(3)]

    def offer() -> None:
        for number in range(2000):
            for client in clients:
                client.outbox.offer(b"%d" % number, "frames")

    threads = [threading.Thread(target=offer) for _ in range(2)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        await asyncio.sleep(0)
    for client in clients:
        client.outbox.offer(b"last", "frames")
    await asyncio.wait_for(settle(clients, b"last"), 5)


async def test_a_frame_does_not_take_the_place_of_other_news(fanout):
    stalled = Client(fanout, stalled=True)
    stalled.outbox.offer(b"0", "frames")
    await settle([stalled], b"0")
    stalled.outbox.offer(b"lost", "devices")
    for number in range(5):
        stalled.outbox.offer(b"%d" % number, "frames")
    stalled.stalled = False
    stalled.taking.set_result(None)
    await settle([stalled], b"4")
    assert stalled.got == [b"0", b"lost", b"4"]


class LateLoop:
    """An event loop whose timers have a resolution of a millisecond, as epoll's; sending takes 0.1 ms."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._calls: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def call_later(self, delay_seconds: float, call: Callable[[], None]) -> None:
        due = self.seconds + math.ceil(1000 * delay_seconds) / 1000
        heapq.heappush(self._calls, (due, next(self._numbers), call))

    def add_callback(self, call: Callable[[], None]) -> None:
        self.call_later(0.0, call)

    def run(self) -> None:
        while self._calls:
            due, _, call = heapq.heappop(self._calls)
            self.seconds = max(self.seconds, due)
            call()

    def send(self, message: bytes) -> Future[None]:
        self.seconds += 0.0001
        sent: Future[None] = Future()
        sent.set_result(None)
        return sent


@pytest.mark.parametrize("clients", [2, 8, 32, 64, 128, 256])
def test_every_client_gets_its_message_in_time_however_many_there_are(clients, monkeypatch):
    loop = LateLoop()
    monkeypatch.setattr(fanout_module, "IOLoop", SimpleNamespace(current=lambda: loop))
    fanout = Fanout(clock=lambda: loop.seconds)
    outboxes = [fanout.add(loop.send) for _ in range(clients)]
    for number in range(10):
        began = loop.seconds
        for outbox in outboxes:
            outbox.offer(b"%d" % number, "frames")
        loop.run()
        assert not any(outbox.waiting for outbox in outboxes)
        # Spread over the time that there is, so that other requests never wait for many clients.
        least = min(ROUND_SECONDS, (clients - 1) * LONGEST_GAP_SECONDS)
        assert 0.9 * least <= loop.seconds - began <= ROUND_SECONDS + 0.01
        loop.seconds += 0.05
