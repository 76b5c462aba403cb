"""Jobs that a kernel runs itself: told to the server, shown and cancelled like any other."""

from __future__ import annotations

import asyncio
import json
import os
import time

import pytest

from jupyter_gpuperf.client.telling import PanelTeller, ToldView
from jupyter_gpuperf.errors import NotFound
from jupyter_gpuperf.jobs.manager import JobManager
from jupyter_gpuperf.jobs.told import KEPT_JOBS, Told, ToldJobs
from jupyter_gpuperf.kernel_link.client import server_file_name
from jupyter_gpuperf.schemas import JobInfo
from jupyter_gpuperf.server.kernel_socket import KernelSocket


def a_job(**changes):
    plain = {
        "id": "here",
        "benchmark": "tune",
        "parameters": {},
        "kernel_name": None,
        "device": None,
        "state": "running",
        "progress_ratio": 0.5,
        "progress_message": "2 workers",
        "created_seconds": time.time(),
        "started_seconds": time.time(),
        "ended_seconds": None,
        "result": None,
        "error": None,
        "log_tail": "",
    }
    return JobInfo(**{**plain, **changes})


@pytest.fixture
def told():
    return ToldJobs()


@pytest.fixture
def served(told, tmp_path, jp_asyncio_loop):
    manager = JobManager(devices=list, deadline_seconds=60, lock_directory=tmp_path)
    served = KernelSocket(manager=manager, runtime_directory=tmp_path, told=told)
    jp_asyncio_loop.run_until_complete(served.start())
    yield tmp_path
    jp_asyncio_loop.run_until_complete(served.stop())
    manager.close()


async def until(condition):
    async def wait():
        while not condition():
            await asyncio.sleep(0.01)

    await asyncio.wait_for(wait(), 30)


def states(told):
    return [each.state for each in told.list()]


class NoView:
    def show(self, job):
        pass

    def cancel_wanted(self):
        return False

    def end(self, final, words):
        pass


async def test_the_panel_sees_a_tuning_with_its_trials_and_can_cancel_it(served, told):
    address = json.loads((served / server_file_name(os.getpid())).read_bytes())["socket"]
    teller = PanelTeller(lambda: address)
    view = ToldView(NoView(), teller, {"loader": "train_loader"})
    view.add("4 workers", {"value": 9.0, "low": 8.0, "high": 10.0})
    view.show(a_job())
    await until(told.list)

    (job,) = told.list()
    assert job.id != "here"
    assert job.parameters == {"loader": "train_loader"}
    assert job.result.figures["4 workers_batches_per_second"].value == 9.0
    assert not view.cancel_wanted()

    told.cancel(job.id)
    await until(view.cancel_wanted)
    view.tell_end(a_job(state="cancelled"), None, None)
    await until(lambda: states(told) == ["cancelled"])


async def test_a_kernel_that_dies_leaves_nothing_running(served, told):
    address = json.loads((served / server_file_name(os.getpid())).read_bytes())["socket"]
    teller = PanelTeller(lambda: address)
    teller.tell(a_job())
    await until(told.list)
    teller.close()
    await until(lambda: states(told) == ["cancelled"])


def test_without_a_server_nothing_is_told_and_nothing_goes_wrong(tmp_path):
    for found in (None, tmp_path / "nobody.sock"):
        teller = PanelTeller(lambda found=found: found)
        teller.tell(a_job())
        assert not teller.cancel_wanted()
        teller.close()


def test_only_the_newest_are_remembered(told):
    for _ in range(KEPT_JOBS + 5):
        told.place(lambda: None).keep(Told(job=a_job(state="done")))
    assert len(told.list()) == KEPT_JOBS
    with pytest.raises(NotFound):
        told.get("told-1")


async def test_the_rest_routes_know_them(jp_serverapp, jp_fetch, get, refusal):
    extension = jp_serverapp.extension_manager.extension_apps["jupyter_gpuperf"]
    services = next(iter(extension)).services
    asked = []
    services.told.place(lambda: asked.append(True)).keep(Told(job=a_job()))
    (listed,) = (await get("jobs"))["jobs"]
    assert (await get("jobs", listed["id"]))["progress_message"] == "2 workers"
    await jp_fetch("gpuperf", "jobs", listed["id"], method="DELETE")
    assert asked
    assert (await refusal("jobs", "told-99"))[0] == 404
