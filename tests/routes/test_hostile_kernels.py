"""Whatever one kernel sends over its socket, the server answers everybody else as before.

For a long search of 10,000 messages of each kind: GPUPERF_ROUNDS=100 pytest -s --timeout 7200 FILE
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import resource
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from kernel_lines import KINDS, lines, messages, steps

from jupyter_gpuperf.kernel_link.address import server_file_name
from jupyter_gpuperf.kernel_link.listener import MOST_CONNECTIONS
from jupyter_gpuperf.schemas import (
    FindingsChanged,
    Jobs,
    LiveMessage,
    Processes,
    Training,
    TrainingNow,
)

CHECKED_EVERY = 25
"""After this many messages, the server's answers are checked, and the kernel connects again."""
GROWTH_MIB = 64
ROUNDS = int(os.environ.get("GPUPERF_ROUNDS", "1"))
"""Each has as many messages as hypothesis' profile says, and forgets those of the one before."""
ANSWERS = {
    "training": Training,
    "findings": FindingsChanged,
    "jobs": Jobs,
    "processes": Processes,
}


class Kernel:
    """A kernel's end of the socket, which sends raw lines."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self._numbers = itertools.count()

    @classmethod
    async def of(cls, server):
        file = Path(server.runtime_dir, server_file_name(os.getpid()))
        address = json.loads(file.read_bytes())["socket"]
        return cls(*await asyncio.open_unix_connection(address, limit=1 << 24))

    async def send(self, line: bytes) -> None:
        """Send a line, and return once the server has handled it."""
        last = f"last{next(self._numbers)}"
        self.writer.write(line + b'\n{"type": "%s"}\n' % last.encode())
        await self.writer.drain()
        while last not in (await self.hear()).get("message", ""):
            pass

    async def hear(self):
        return json.loads(await asyncio.wait_for(self.reader.readline(), 60))

    async def hang_up(self):
        self.writer.transport.abort()  # without what the server has not read yet
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


class World:
    """A server with a good kernel and a bad one."""

    def __init__(self, server, get, open_page, gpu):
        self.server, self.get, self.open_page, self.gpu = server, get, open_page, gpu
        self.sent = 0
        self.kernels: list[Kernel] = []
        self.good: Kernel
        self.bad: Kernel

    async def kernel(self):
        self.kernels.append(await Kernel.of(self.server))
        return self.kernels[-1]

    async def begin(self):
        self.good, self.bad = await self.kernel(), await self.kernel()
        await self.check()

    async def send(self, line):
        await self.bad.send(line)
        self.sent += 1
        if self.sent % CHECKED_EVERY == 0:
            await self.hang_up(self.bad)
            self.bad = await self.kernel()
            await self.check()

    async def check(self):
        """Every route answers in its shape, and the good kernel's loop is there."""
        await self.good.send(json.dumps(steps(time.time(), self.gpu, "good")).encode())
        for path, shape in ANSWERS.items():
            answer = msgspec.convert(await self.get(path), shape)
            if path == "training":
                self.check_good(answer.now)
                assert "good" in answer.paths or not answer.history

    def check_good(self, now):
        (good,) = [each for each in now.notebooks if each.key == "good"]
        assert good.connected
        assert [each.loader for each in good.loaders] == ["train_loader"]
        assert good.loaders[0].step_seconds == pytest.approx(0.05)

    async def end(self):
        """After the bad kernel has hung up, too, the live socket tells of the good one."""
        await self.hang_up(*self.kernels[1:])
        page = await self.open_page("gpuperf", "live", params={"interval_ms": 500})
        began = time.time()
        await self.check()
        while True:
            raw = await asyncio.wait_for(page.read_message(), 60)
            message = msgspec.json.decode(raw, type=LiveMessage)
            if isinstance(message, TrainingNow) and message.time_seconds > began:
                break
        self.check_good(message)
        page.close()

    async def hang_up(self, *kernels):
        for kernel in kernels:
            await kernel.hang_up()
            self.kernels.remove(kernel)


@pytest.fixture
def world(jp_serverapp, get, jp_ws_fetch, jp_asyncio_loop):
    extension = jp_serverapp.extension_manager.extension_points["jupyter_gpuperf"].app

    async def made():
        await extension.parts.kernel_listener.start()
        gpu = (await get("devices"))["devices"][0]["uuid"]
        world = World(jp_serverapp, get, jp_ws_fetch, gpu)
        await world.begin()
        return world

    world = jp_asyncio_loop.run_until_complete(made())
    yield world
    jp_asyncio_loop.run_until_complete(world.hang_up(*world.kernels))
    jp_asyncio_loop.run_until_complete(extension.parts.kernel_listener.stop())


def memory_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


BINS = ({"a": 1}, {"9999": 1}, {"-1": 1}, {"62": {}}, {"62": -1}, {"62": 10**399}, [], {"": 0})
ODD_TALLIES = [
    *({"bins": each} for each in BINS),
    *({name: 10**399} for name in ("count", "epoch_batches", "samples_count", "step_seconds")),
    *({name: -1} for name in ("count", "wait_seconds", "event_idle_seconds", "began_seconds")),
    *({"ended_seconds": time.time() + ahead} for ahead in (1e5, 1e6, 1e12, 1e308)),
    {"step_seconds": 1.7e308},
    {"samples_count": 1.7e308},
    {"loader": 10**399},
]


async def test_an_odd_tally_is_dropped_with_a_word_to_its_kernel(world):
    for odd in ODD_TALLIES:
        line = json.dumps(steps(time.time(), world.gpu, "bad", **odd)).encode()
        world.bad.writer.write(line + b"\n")
        answer = await world.bad.hear()
        assert answer["code"] in ("invalid_request", "time_in_future"), odd
        assert answer["hint"]
    line = json.dumps(steps(time.time(), world.gpu, "bad")).encode()
    await world.send(line)
    notebooks = {each["key"]: each for each in (await world.get("training"))["now"]["notebooks"]}
    assert [each["count"] for each in notebooks["bad"]["loaders"]] == [10]
    await world.end()


async def test_thousands_of_loops_are_as_many_as_a_page_can_show(world):
    message = steps(time.time(), world.gpu, "bad")
    (loader,), (tally,) = message["loaders"], message["tallies"]
    for first in range(0, 3000, 50):
        ids = range(first, first + 50)
        message["loaders"] = [{**loader, "id": each} for each in ids]
        message["tallies"] = [{**tally, "loader": each} for each in ids]
        await world.bad.send(json.dumps(message).encode())
    notebooks = {each["key"]: each for each in (await world.get("training"))["now"]["notebooks"]}
    assert [each["loader_id"] for each in notebooks["bad"]["loaders"]] == [*range(2984, 3000)]
    await world.end()


async def test_a_process_has_a_bounded_number_of_connections(world):
    kernels = [await world.kernel() for _ in range(MOST_CONNECTIONS)]
    assert await asyncio.wait_for(kernels[-1].reader.read(), 60) == b""
    await world.end()


async def test_a_flood_of_lines_lets_others_through(world):
    flood = b"{}\n" * 200_000
    world.bad.writer.write(flood)
    draining = asyncio.ensure_future(world.bad.writer.drain())
    await world.check()
    assert not draining.done()
    draining.cancel()
    await world.end()


async def test_each_of_many_cells_gets_its_footprint(world):
    cell = messages(time.time(), world.gpu)["cell"]
    for number in range(50):
        line = json.dumps({**cell, "number": number}).encode() + b"\n"
        world.bad.writer.write(line)
    numbers = [(await world.bad.hear())["number"] for _ in range(50)]
    assert sorted(numbers) == [*range(50)]
    await world.end()


@pytest.mark.parametrize("kind", KINDS)
def test_what_one_kernel_sends_harms_nobody_else(world, kind, jp_asyncio_loop, caplog):
    @given(lines(kind, world.gpu))
    def hold(line):
        jp_asyncio_loop.run_until_complete(world.send(line))

    before_mib, began, logged = memory_mib(), time.perf_counter(), []
    for _ in range(ROUNDS):
        hold()
        logged += [each for each in caplog.records if each.name.startswith("jupyter_gpuperf")]
        caplog.clear()
        seconds = time.perf_counter() - began
        print(f"{kind}: {world.sent} in {seconds:.0f} s, {before_mib:.0f} → {memory_mib():.0f} MiB")
    jp_asyncio_loop.run_until_complete(world.end())
    assert memory_mib() - before_mib < GROWTH_MIB
    assert not [each for each in logged if each.exc_info]
    refused = [each for each in logged if "was dropped" in each.getMessage()]
    assert len(refused) <= 1 + seconds / 60
    assert all("\n" not in each.getMessage() for each in refused)
