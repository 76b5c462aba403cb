"""``GET processes`` on a real server with a real kernel; the driver's list is a stand-in's."""

from __future__ import annotations

import asyncio
import json

import pytest

from jupyter_gpuperf.sources import DriverProcess

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
    monkeypatch.setattr(services.sampler._source, "read_processes", driver.read_processes)
    return driver


def process(pid):
    return DriverProcess(
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


async def test_pages_that_ask_at_once_share_one_reading(get, driver):
    answers = await asyncio.gather(*[get("processes") for _ in range(10)])
    assert all(answer == answers[0] for answer in answers)
    assert driver.asked == 1


async def test_recorded_processes_are_never_taken_for_processes_of_this_machine(get):
    for device in (await get("processes"))["devices"].values():
        assert device["reason"] is None
        assert all(each["pid"] is None and each["kernel"] is None for each in device["processes"])
