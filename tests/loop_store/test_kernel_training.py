"""The server's answers to kernels: a kernel that asks too much waits for itself."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import time
from concurrent.futures import Future

import pytest
from waiting import until

from jupyter_gpuperf.kernel_link import peer
from jupyter_gpuperf.kernel_link.address import server_file_name
from jupyter_gpuperf.kernel_link.listener import KernelListener
from jupyter_gpuperf.kernel_link.router import RefusalLog
from jupyter_gpuperf.loop_store import kernel_training
from jupyter_gpuperf.loop_store.device_usage import DeviceUsage
from jupyter_gpuperf.loop_store.kernel_training import MOST_UNANSWERED, KernelTraining
from jupyter_gpuperf.loop_store.store import TrainingStore
from jupyter_gpuperf.sampling import HistoryStore
from jupyter_gpuperf.schemas import encode
from jupyter_gpuperf.schemas.cells import CellRan


def cell(number: int, kernel_id: str = "k1") -> bytes:
    now = time.time()
    ran = CellRan(
        kernel_id=kernel_id,
        notebook_path=None,
        number=number,
        began_seconds=now - 1,
        ended_seconds=now,
        device_uuids=["GPU-1"],
    )
    return encode(ran) + b"\n"


class Devices:
    """Devices that are read when the test says so."""

    def __init__(self) -> None:
        self.requests: list[Future[None]] = []

    def request(self) -> Future[None]:
        self.requests.append(Future())
        return self.requests[-1]


@pytest.fixture
def devices():
    return Devices()


@pytest.fixture
def store():
    history = HistoryStore(
        seconds=60, shortest_interval_seconds=0.1, device_metrics=["power_watts"], host_metrics=[]
    )
    return TrainingStore(DeviceUsage(history, now=time.time))


@pytest.fixture
def kernel(store, devices, tmp_path, jp_asyncio_loop, monkeypatch):
    """Return a function that connects another kernel."""
    monkeypatch.setattr(kernel_training, "SHORTEST_PAUSE_SECONDS", 0.0)
    training = KernelTraining(store, devices.request)
    served = KernelListener({CellRan: training.cell_ran}, runtime_directory=tmp_path)
    jp_asyncio_loop.run_until_complete(served.start())
    writers = []

    async def kernel():
        path = json.loads((tmp_path / server_file_name(os.getpid())).read_bytes())["socket"]
        reader, writer = await asyncio.open_unix_connection(path)
        writers.append(writer)
        return reader, writer

    yield kernel
    for each in writers:
        each.close()
    jp_asyncio_loop.run_until_complete(served.stop())


async def answer(reader) -> int:
    return json.loads(await asyncio.wait_for(reader.readline(), 30))["number"]


async def test_a_flood_of_cells_holds_no_thread_and_keeps_nobody_waiting(
    kernel, devices, store, monkeypatch
):
    """While the devices don't answer, other calls run at once, and only the latest cells wait."""
    monkeypatch.setattr(kernel_training, "TICK_SECONDS", 60.0)
    flooding, bystander = await kernel(), await kernel()
    for number in range(500):
        flooding[1].write(cell(number))
    bystander[1].write(cell(7, "k2"))

    def received(key: str, number: int) -> bool:
        notebook = store._notebooks.get(key)
        return notebook is not None and [each.number for each in notebook.cells][-1:] == [number]

    await until(lambda: received("k1", 499) and received("k2", 7))
    assert len(devices.requests) == 1  # one for all of them
    threads = [asyncio.to_thread(int) for _ in range(100)]
    await asyncio.wait_for(asyncio.gather(*threads), 30)

    devices.requests[0].set_result(None)
    assert await answer(bystander[0]) == 7
    numbers = [await answer(flooding[0])]
    while numbers[-1] != 499:
        numbers.append(await answer(flooding[0]))
    assert len(numbers) <= MOST_UNANSWERED


async def test_devices_that_never_answer_leave_a_cell_without_their_readings(
    kernel, devices, monkeypatch
):
    monkeypatch.setattr(kernel_training, "TICK_SECONDS", 0.01)
    reader, writer = await kernel()
    writer.write(cell(1))
    assert await answer(reader) == 1
    assert all(each.cancelled() for each in devices.requests)


async def test_a_cell_that_cannot_be_judged_keeps_no_other_kernel_from_its_footprint(
    kernel, devices, store, monkeypatch, caplog
):
    footprint = store.footprint

    def fails_for_one(ran):
        if ran.kernel_id == "bad":
            raise RuntimeError("odd")
        return footprint(ran)

    monkeypatch.setattr(store, "footprint", fails_for_one)
    bad, good = await kernel(), await kernel()
    for number in (1, 2):
        bad[1].write(cell(number, "bad"))
        good[1].write(cell(number, "good"))
        await until(lambda: devices.requests and not devices.requests[-1].done())
        devices.requests[-1].set_result(None)
        assert await answer(good[0]) == number
    assert "odd" in caplog.text


async def test_lines_that_come_by_the_thousand_let_others_have_their_turn(kernel, monkeypatch):
    """Not even empty lines, each of which is refused, may take all of the event loop's time."""
    monkeypatch.setattr(kernel_training, "TICK_SECONDS", 0.01)
    pids = itertools.count(1)
    monkeypatch.setattr(peer, "process_id", lambda connection: next(pids))
    refused = []
    monkeypatch.setattr(RefusalLog, "add", lambda *refusal: refused.append(refusal))
    flooding, bystander = await kernel(), await kernel()
    flooding[1].write(b"\n" * 300_000)  # this would take seconds
    await until(lambda: refused)
    bystander[1].write(cell(7))
    assert await answer(bystander[0]) == 7
    assert len(refused) < 20_000
    flooding[1].transport.abort()
