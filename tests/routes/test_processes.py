"""``GET processes`` on a real server with a real kernel; the driver's list is a stand-in's."""

from __future__ import annotations

import asyncio
import json

import pytest

from jupyter_gpuperf.schemas import ListedProcess

GPU = "GPU-0000"


@pytest.fixture
def services(jp_serverapp):
    (app,) = jp_serverapp.extension_manager.extension_apps["jupyter_gpuperf"]
    return app.services


@pytest.fixture
def driver(services, monkeypatch):
    """Choose what the driver lists; count how often it is asked."""

    class Driver:
        listed: dict = {}  # noqa: RUF012
        asked = 0

        def read_processes(self):
            self.asked += 1
            return self.listed

    driver = Driver()
    monkeypatch.setattr(services.sampler.source, "read_processes", driver.read_processes)
    return driver


@pytest.fixture
def kernel_listener(jp_serverapp, jp_asyncio_loop):
    """Listen to kernels, as a server does once it runs."""
    (app,) = jp_serverapp.extension_manager.extension_apps["jupyter_gpuperf"]
    jp_asyncio_loop.run_until_complete(app.parts.kernel_listener.start())
    yield app.parts.kernel_listener
    jp_asyncio_loop.run_until_complete(app.parts.kernel_listener.stop())


def process(pid):
    return ListedProcess(
        pid=pid, kinds=("compute",), memory_used_bytes=1e9, sm_utilization_percent="not_supported"
    )


async def test_a_notebooks_kernel_is_named_with_its_process(jp_serverapp, jp_fetch, get, driver):
    body = json.dumps(
        {"path": "train.ipynb", "type": "notebook", "name": "train", "kernel": {"name": "python3"}}
    )
    session = json.loads((await jp_fetch("api", "sessions", method="POST", body=body)).body)
    kernel_id = session["kernel"]["id"]
    try:
        pid = jp_serverapp.kernel_manager.get_kernel(kernel_id).provisioner.process.pid
        driver.listed = {GPU: [process(pid)]}
        (found,) = (await get("processes"))["devices"][GPU]["processes"]
        assert found["pid"] == pid
        assert found["kernel"]["kernel_id"] == kernel_id
        assert found["kernel"]["notebook_path"] == "train.ipynb"
        assert found["memory_used_bytes"] == 1e9
        assert found["sm_utilization_percent"] == "not_supported"
    finally:
        await jp_serverapp.kernel_manager.shutdown_kernel(kernel_id, now=True)


HOLDS = f"""
from jupyter_gpuperf.schemas.kernel_link import MemoryReport, TorchMemory
from jupyter_gpuperf.kernel_link.memory_reporter import MemoryReporter
held = MemoryReport(devices={{"{GPU}": TorchMemory(allocated_bytes=1e9, reserved_bytes=2e9)}})
reporter = MemoryReporter(memory=lambda: held, interval_seconds=0.05)
reporter.start()
"""


async def test_a_notebook_tells_itself_what_the_drivers_list_does_not(
    jp_serverapp, jp_fetch, get, driver, kernel_listener
):
    driver.listed = {GPU: [process(2**22 + 1)]}  # a number that no process here can have
    answer = await jp_fetch("api", "kernels", method="POST", body=json.dumps({"name": "python3"}))
    kernel_id = json.loads(answer.body)["id"]
    client = jp_serverapp.kernel_manager.get_kernel(kernel_id).client()
    client.start_channels()
    try:
        await client.wait_for_ready(timeout=60)
        client.execute(HOLDS)
        report = await asyncio.wait_for(first_report(get), 30)
        assert report["kernel"]["kernel_id"] == kernel_id
        assert (report["allocated_bytes"], report["reserved_bytes"]) == (1e9, 2e9)
    finally:
        client.stop_channels()
        await jp_serverapp.kernel_manager.shutdown_kernel(kernel_id, now=True)
    await asyncio.wait_for(no_report(get), 10)  # it went with its kernel


async def first_report(get):
    while not (found := (await get("processes"))["devices"][GPU]["reports"]):
        await asyncio.sleep(0.2)
    return found[0]


async def no_report(get):
    while (await get("processes"))["devices"][GPU]["reports"]:
        await asyncio.sleep(0.2)


async def test_pages_that_ask_at_once_share_one_reading(get, driver):
    answers = await asyncio.gather(*[get("processes") for _ in range(10)])
    assert all(answer == answers[0] for answer in answers)
    assert driver.asked == 1


async def test_recorded_processes_are_never_taken_for_processes_of_this_machine(get):
    for device in (await get("processes"))["devices"].values():
        assert device["reason"] is None
        assert all(each["pid"] is None and each["kernel"] is None for each in device["processes"])
