"""The fan-out: everybody gets the newest message, one client per turn of the loop."""

from __future__ import annotations

import asyncio
import threading

import pytest

from jupyter_gpuperf.server.fanout import Fanout


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
