"""Whatever one kernel sends over its socket, the server answers everybody else as before.

Each test takes as many messages as hypothesis' profile says; see tests/conftest.py for a long search.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import resource
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from kernel_lines import KINDS, lines, steps

from jupyter_gpuperf.kernel_link.address import server_file_name
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
        while last not in json.loads(await asyncio.wait_for(self.reader.readline(), 60)).get(
            "message", ""
        ):
            pass

    def hang_up(self):
        self.writer.close()


class World:
    """A server with a good kernel and a bad one."""

    def __init__(self, server, get, open_page, gpu):
        self.server, self.get, self.open_page, self.gpu = server, get, open_page, gpu
        self.sent = 0
        self.good: Kernel
        self.bad: Kernel

    async def begin(self):
        self.good, self.bad = await Kernel.of(self.server), await Kernel.of(self.server)
        await self.check()

    async def send(self, line):
        await self.bad.send(line)
        self.sent += 1
        if self.sent % CHECKED_EVERY == 0:
            self.bad.hang_up()
            self.bad = await Kernel.of(self.server)
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
        self.bad.hang_up()
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
        self.good.hang_up()


@pytest.fixture
def world(jp_serverapp, get, jp_ws_fetch, jp_asyncio_loop):
    extension = jp_serverapp.extension_manager.extension_points["jupyter_gpuperf"].app

    async def made():
        await extension.parts.kernel_listener.start()
        gpu = (await get("devices"))["devices"][0]["uuid"]
        world = World(jp_serverapp, get, jp_ws_fetch, gpu)
        await world.begin()
        return world

    yield jp_asyncio_loop.run_until_complete(made())
    jp_asyncio_loop.run_until_complete(extension.parts.kernel_listener.stop())


def memory_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


@pytest.mark.parametrize("kind", KINDS)
def test_what_one_kernel_sends_harms_nobody_else(world, kind, jp_asyncio_loop, caplog):
    @given(lines(kind, world.gpu))
    def hold(line):
        jp_asyncio_loop.run_until_complete(world.send(line))

    before_mib, began = memory_mib(), time.perf_counter()
    hold()
    jp_asyncio_loop.run_until_complete(world.end())
    seconds, after_mib = time.perf_counter() - began, memory_mib()
    print(f"{kind}: {world.sent} in {seconds:.0f} s, {before_mib:.0f} → {after_mib:.0f} MiB")
    assert after_mib - before_mib < GROWTH_MIB
    logged = [each for each in caplog.records if each.name.startswith("jupyter_gpuperf")]
    assert not [each for each in logged if each.exc_info]
    refused = [each for each in logged if "was dropped" in each.getMessage()]
    assert len(refused) <= 1 + seconds / 60
    assert all("\n" not in each.getMessage() for each in refused)
