"""Jobs, suites and recordings on the live socket: the present at once, then what changes, for those who follow."""

from __future__ import annotations

import asyncio
import json
import time

import msgspec
import pytest

from jupyter_gpuperf.jobs.job import Job, new_record
from jupyter_gpuperf.jobs.registry import JobRegistry
from jupyter_gpuperf.schemas import JobsChanged, LiveMessage, RecordingsChanged, SuitesChanged
from jupyter_gpuperf.server import live_lists
from jupyter_gpuperf.server.fanout import Fanout
from jupyter_gpuperf.server.live_lists import LiveList


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(live_lists, "SOON_SECONDS", 0.01)


@pytest.fixture
def registry():
    return JobRegistry()


@pytest.fixture
def jobs(registry, jp_asyncio_loop):
    jobs = LiveList("jobs", registry)
    registry.on_change = jobs.send_soon
    yield jobs
    jp_asyncio_loop.run_until_complete(until(lambda: jobs._task is None))  # all have left


@pytest.fixture
def fanout():
    return Fanout()


class Client:
    """A page; it takes messages at once, or when it is told to."""

    def __init__(self, fanout, *, stalled=False):
        self.got = []
        self.stalled = stalled
        self.taking = None
        self.outbox = fanout.add(self.send)

    def send(self, message):
        self.got.append(msgspec.json.decode(message, type=JobsChanged))
        self.taking = asyncio.get_running_loop().create_future()
        if not self.stalled:
            self.taking.set_result(None)
        return self.taking


def a_job(**known):
    return Job(
        record=new_record(
            "tune", {}, **{"created_seconds": time.time(), "state": "running", **known}
        ),
        stop=lambda: None,
    )


def end(registry, job):
    registry.report(job, msgspec.structs.replace(job.record, state="done"))


async def until(condition):
    async def wait():
        while not condition():
            await asyncio.sleep(0.005)

    await asyncio.wait_for(wait(), 10)


async def test_who_joins_gets_the_present_at_once_and_then_what_changes(registry, jobs, fanout):
    ended, running = a_job(created_seconds=1.0), a_job(created_seconds=2.0)
    registry.add(ended)
    registry.add(running)
    end(registry, ended)
    client = Client(fanout)
    jobs.follow(client.outbox)
    await until(lambda: client.got)
    (first,) = client.got
    assert [job.id for job in first.jobs] == first.ids == [running.id, ended.id]

    registry.report(running, msgspec.structs.replace(running.record, progress_ratio=0.5))
    await until(lambda: len(client.got) > 1)
    assert client.got[1].ids == first.ids
    (changed,) = client.got[1].jobs  # the one that has ended is known
    assert (changed.id, changed.progress_ratio) == (running.id, 0.5)
    jobs.leave(client.outbox)


async def test_an_empty_list_is_told_too(jobs, fanout):
    client = Client(fanout)
    jobs.follow(client.outbox)
    await until(lambda: client.got)
    assert client.got == [JobsChanged(jobs=[], ids=[])]
    jobs.leave(client.outbox)


async def test_a_page_that_stalls_gets_the_newest_of_each_job_and_holds_nothing(
    registry, jobs, fanout
):
    stalled = Client(fanout, stalled=True)
    jobs.follow(stalled.outbox)
    await until(lambda: stalled.got)
    for _ in range(200):  # far more than are remembered
        job = a_job()
        registry.add(job)
        end(registry, job)
    running = a_job()
    registry.add(running)
    for number in range(200):
        registry.report(
            running, msgspec.structs.replace(running.record, progress_ratio=number / 200)
        )
        await asyncio.sleep(0)
    await until(lambda: stalled.outbox.waiting)
    await asyncio.sleep(0.1)
    assert len(stalled.got) == 1
    assert set(stalled.outbox.waiting) == {"jobs"}
    assert not isinstance(stalled.outbox.waiting["jobs"], bytes)  # made when it is its turn

    stalled.stalled = False
    stalled.taking.set_result(None)
    await until(lambda: len(stalled.got) > 1)
    latest = stalled.got[1]
    assert latest.ids == [job.id for job in registry.list()]
    assert {job.id: job for job in latest.jobs}[running.id].progress_ratio == 199 / 200
    jobs.leave(stalled.outbox)


async def test_what_is_forgotten_leaves_the_list(registry, jobs, fanout, monkeypatch):
    monkeypatch.setattr("jupyter_gpuperf.jobs.registry.KEPT_JOBS", 1)
    client = Client(fanout)
    jobs.follow(client.outbox)
    for _ in range(3):
        job = a_job()
        registry.add(job)
        end(registry, job)
    await until(lambda: client.got and client.got[-1].ids == [job.id])
    jobs.leave(client.outbox)


async def test_while_a_job_runs_it_is_told_again_and_again_else_never(
    registry, jobs, fanout, monkeypatch
):
    monkeypatch.setattr(live_lists, "ACTIVE_SECONDS", 0.02)
    monkeypatch.setattr(live_lists, "IDLE_SECONDS", 0.02)
    job = a_job()
    registry.add(job)
    client = Client(fanout)
    jobs.follow(client.outbox)
    await until(lambda: len(client.got) > 3)  # the time that is left changes without news
    end(registry, job)
    await until(lambda: client.got[-1].jobs[0].state == "done")
    count = len(client.got)
    await asyncio.sleep(0.2)
    assert len(client.got) == count
    jobs.leave(client.outbox)


async def test_who_has_left_is_told_nothing(registry, jobs, fanout):
    gone, stays = Client(fanout), Client(fanout)
    jobs.follow(gone.outbox)
    jobs.follow(stays.outbox)
    await until(lambda: gone.got and stays.got)
    jobs.leave(gone.outbox)
    registry.add(a_job())
    await until(lambda: len(stays.got) > 1)
    assert len(gone.got) == 1
    jobs.leave(stays.outbox)


async def test_a_message_that_can_not_be_made_stops_no_other(fanout):
    client = Client(fanout)

    def fails():
        raise RuntimeError("a defect")

    client.outbox.offer(fails, "odd")
    client.outbox.offer(b'{"type": "jobs", "jobs": [], "ids": []}', "jobs")
    await until(lambda: client.got)


async def test_clients_that_come_and_go_do_not_make_it_read_the_list_more_often(
    registry, jobs, fanout, monkeypatch
):
    reads = []
    monkeypatch.setattr(registry, "refresh", lambda: reads.append(1))
    monkeypatch.setattr(live_lists, "SOON_SECONDS", 0.25)
    client = Client(fanout)
    for _ in range(500):
        jobs.follow(client.outbox)
        await asyncio.sleep(0)
        jobs.leave(client.outbox)
    jobs.follow(client.outbox)
    await until(lambda: client.got)
    assert len(reads) < 50
    jobs.leave(client.outbox)


async def test_a_list_that_can_not_be_read_once_is_read_again(registry, jobs, fanout, monkeypatch):
    reads = iter([OSError("an odd file")])

    def refresh():
        for error in reads:
            raise error

    monkeypatch.setattr(registry, "refresh", refresh)
    client = Client(fanout)
    jobs.follow(client.outbox)
    registry.add(a_job())
    await until(lambda: client.got and client.got[-1].ids)
    registry.add(a_job())
    await until(lambda: len(client.got[-1].ids) == 2)
    jobs.leave(client.outbox)


@pytest.fixture
def jp_server_config(jp_server_config, tmp_path):
    settings = {**jp_server_config["GpuPerf"], "recordings_directory": str(tmp_path / "kept")}
    return {**jp_server_config, "GpuPerf": settings}


async def next_of(socket, kind):
    async def find():
        while not isinstance(
            found := msgspec.json.decode(await socket.read_message(), type=LiveMessage), kind
        ):
            pass
        return found

    return await asyncio.wait_for(find(), 20)


async def test_the_live_socket_tells_what_it_is_asked_to(jp_serverapp, jp_ws_fetch, jp_fetch):
    (app,) = jp_serverapp.extension_manager.extension_apps["jupyter_gpuperf"]
    socket = await jp_ws_fetch("gpuperf", "live", params={"interval_ms": 60_000})
    topics = ["jobs", "suites", "recordings"]
    await socket.write_message(json.dumps({"type": "follow", "topics": topics}))
    present = {}
    while len(present) < len(topics):  # in any order
        told = await next_of(socket, JobsChanged | SuitesChanged | RecordingsChanged)
        present[type(told)] = told
    assert present[JobsChanged].ids == []
    assert isinstance(present[SuitesChanged].suites, list)
    assert present[RecordingsChanged].recordings == []

    job = a_job()
    app.services.jobs.add(job)
    assert (await next_of(socket, JobsChanged)).ids == [job.id]
    end(app.services.jobs, job)
    while (await next_of(socket, JobsChanged)).jobs[0].state != "done":
        pass

    begun = json.loads((await jp_fetch("gpuperf", "recordings", method="POST", body="")).body)
    (told,) = (await next_of(socket, RecordingsChanged)).recordings
    assert (told.id, told.state) == (begun["id"], "recording")
    longer = (await next_of(socket, RecordingsChanged)).recordings[0]  # it grows without news
    assert longer.duration_seconds > told.duration_seconds
    await jp_fetch("gpuperf", "recordings", begun["id"], method="DELETE")
    while (await next_of(socket, RecordingsChanged)).recordings[0].state != "stopped":
        pass

    await socket.write_message(json.dumps({"type": "follow", "topics": ["everything"]}))
    socket.close()


async def test_a_suite_is_told_while_it_waits_and_when_it_has_ended(
    jp_serverapp, jp_ws_fetch, jp_fetch, tmp_path
):
    (app,) = jp_serverapp.extension_manager.extension_apps["jupyter_gpuperf"]
    app.services.results.path = tmp_path / "results"
    socket = await jp_ws_fetch("gpuperf", "live", params={"interval_ms": 60_000})
    await socket.write_message(json.dumps({"type": "follow", "topics": ["suites"]}))
    assert (await next_of(socket, SuitesChanged)).suites == []
    body = json.dumps({"benchmarks": ["io"], "rounds": 1, "budget_seconds": 5})
    suite = json.loads((await jp_fetch("gpuperf", "suites", method="POST", body=body)).body)
    told = (await next_of(socket, SuitesChanged)).suites[0]
    assert told.id == suite["id"]
    await jp_fetch("gpuperf", "suites", suite["id"], method="DELETE")
    while (await next_of(socket, SuitesChanged)).suites[0].state != "cancelled":
        pass
    socket.close()


async def test_a_socket_that_asks_for_no_list_hears_of_none(jp_serverapp, jp_ws_fetch):
    (app,) = jp_serverapp.extension_manager.extension_apps["jupyter_gpuperf"]
    socket = await jp_ws_fetch("gpuperf", "live", params={"interval_ms": 100})
    app.services.jobs.add(a_job(state="done"))
    kinds = {json.loads(await socket.read_message())["type"] for _ in range(15)}
    assert "jobs" not in kinds
    socket.close()
