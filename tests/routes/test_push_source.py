"""Another package's source, told from outside: two machines by their own clocks, through every door of the server."""

from __future__ import annotations

import asyncio
import gzip
import importlib
import json
import sys
import time

import msgspec
import pytest
from push_source import PushSource

from jupyter_gpuperf.schemas import DevicesChanged, Frame, Hello, LiveMessage


@pytest.fixture
def foreign_package(monkeypatch, tmp_path):
    """Install a package that brings a source."""
    folder = tmp_path / "packages" / "foreign-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign\nVersion: 1.0\n")
    points = "[jupyter_gpuperf.sources]\npush = push_source:SCHEME\n"
    (folder / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(folder.parent)
    importlib.invalidate_caches()
    assert "push_source" in sys.modules  # the one that this test talks to


@pytest.fixture
def jp_server_config(jp_server_config, foreign_package):
    settings = {"source": "push:cluster", "idle_interval_ms": 100}
    return {**jp_server_config, "GpuPerf": settings}


@pytest.fixture
def source(jp_serverapp):
    (app,) = jp_serverapp.extension_manager.extension_apps["jupyter_gpuperf"]
    app.services.sampler.start()
    source = PushSource.made.pop()
    assert source.argument == "cluster"
    return source


async def until(ask, holds):
    while not holds(answer := await ask()):
        await asyncio.sleep(0.05)
    return answer


async def test_before_anybody_told_the_reason_is_the_sources(source, get):
    answer = await until(lambda: get("devices"), lambda each: each["reason"]["hint"] == "Wait.")
    assert answer["devices"] == []
    assert (await get("version"))["source"] == "push"


async def test_devices_of_two_machines_come_and_go(source, get):
    source.tell("node1", time.time(), 10.0, A=100.0, B=200.0)
    source.tell("node2", time.time(), 20.0, C=300.0)
    infos = (await until(lambda: get("devices"), lambda each: len(each["devices"]) == 3))["devices"]
    assert {each["uuid"]: each["host"] for each in infos} == {
        "A": "node1",
        "B": "node1",
        "C": "node2",
    }
    latest = await until(lambda: get("latest"), lambda each: len(each["devices"]) == 3)
    assert latest["devices"]["C"] == {"power_watts": 300.0}
    assert latest["host"] == {}  # nothing was read of this machine
    assert latest["hosts"] == {
        "node1": {"host_cpu_percent": 10.0},
        "node2": {"host_cpu_percent": 20.0},
    }
    source.tell("node1", time.time(), 11.0, A=101.0)  # B was taken away
    await until(lambda: get("latest"), lambda each: set(each["devices"]) == {"A", "C"})
    source.hang_up("node2")
    latest = await until(lambda: get("latest"), lambda each: set(each["devices"]) == {"A"})
    assert set(latest["hosts"]) == {"node1"}
    assert [each["uuid"] for each in (await get("devices"))["devices"]] == ["A"]


async def test_the_history_has_each_machines_readings_at_its_own_times(source, get):
    now = time.time()
    for index in range(4):
        source.tell("node1", now - 20 + index, 10.0, A=100.0 + index)
    source.tell("node2", now - 40, 20.0, C=300.0)
    source.tell("node2", now - 5, 21.0, C=301.0)
    past = await until(
        lambda: get("history", seconds=60, step_seconds=0.1), lambda each: "C" in each["devices"]
    )
    first, second = past["devices"]["A"], past["devices"]["C"]
    assert first["times_seconds"] == pytest.approx(
        [now - 20 + index for index in range(4)], abs=0.11
    )
    assert first["metrics"]["power_watts"]["mean"] == [100.0, 101.0, 102.0, 103.0]
    assert second["times_seconds"] == pytest.approx([now - 40, now - 5], abs=0.11)
    assert past["hosts"]["node2"]["metrics"]["host_cpu_percent"]["mean"] == [20.0, 21.0]
    # Ticks in which nothing arrived are no readings.
    await asyncio.sleep(0.5)
    again = await get("history", seconds=60, step_seconds=0.1)
    assert len(again["devices"]["A"]["times_seconds"]) == 4


async def test_a_machine_whose_clock_is_set_back_keeps_its_order_and_troubles_no_other(source, get):
    now = time.time()
    source.tell("node1", now - 10, 10.0, A=100.0)
    source.tell("node2", now - 10, 10.0, C=300.0)
    source.tell("node1", now - 30, 10.0, A=101.0)
    source.tell("node2", now - 9, 10.0, C=301.0)
    past = await until(
        lambda: get("history", seconds=60, step_seconds=0.1),
        lambda each: len(each["devices"].get("C", {}).get("times_seconds", ())) == 2,
    )
    assert past["devices"]["A"]["metrics"]["power_watts"]["mean"] == [101.0]
    assert past["devices"]["C"]["metrics"]["power_watts"]["mean"] == [300.0, 301.0]


async def test_the_live_socket_shows_them_with_the_time_at_which_each_was_read(
    source, get, jp_ws_fetch
):
    taken = time.time() - 3
    source.tell("node1", taken, 10.0, A=100.0)
    await until(lambda: get("devices"), lambda each: each["devices"])
    socket = await jp_ws_fetch("gpuperf", "live", params={"interval_ms": 100})

    async def heard(kind, holds):
        while True:
            message = msgspec.json.decode(await socket.read_message(), type=LiveMessage)
            if isinstance(message, kind) and holds(message):
                return message

    try:
        hello = await heard(Hello, lambda _: True)
        assert [each.host for each in hello.devices.devices] == ["node1"]
        frame = await heard(Frame, lambda each: "A" in each.devices)
        assert frame.taken_seconds == {"A": taken}
        assert frame.time_seconds > taken + 2
        source.tell("node2", taken + 1, 20.0, C=300.0)
        news = await heard(DevicesChanged, lambda _: True)
        assert [each.host for each in news.devices.devices] == ["node1", "node2"]
        frame = await heard(Frame, lambda each: "C" in each.devices)
        assert frame.taken_seconds == {"A": taken, "C": taken + 1}
        assert frame.hosts["node2"] == {"host_cpu_percent": 20.0}
    finally:
        socket.close()


async def test_prometheus_hears_which_machine_a_device_is_in(source, get, jp_fetch):
    source.tell("node1", time.time(), 10.0, A=100.0)
    await until(lambda: get("devices"), lambda each: each["devices"])
    text = (await jp_fetch("gpuperf", "metrics")).body.decode()
    (line,) = [each for each in text.splitlines() if each.startswith("gpuperf_power_watts{")]
    assert 'hostname="node1"' in line


async def test_nothing_is_measured_on_a_device_of_another_machine(source, get, refusal):
    source.tell("node1", time.time(), 10.0, A=100.0)
    await until(lambda: get("devices"), lambda each: each["devices"])
    body = json.dumps({"benchmark": "launch", "device": "A"})
    status, answer = await refusal("jobs", method="POST", body=body)
    assert (status, answer["code"]) == (400, "device_is_elsewhere")
    assert "node1" in answer["message"]


async def test_a_recording_holds_the_machines_without_their_names(source, get, jp_fetch):
    source.tell("node1", time.time(), 10.0, A=100.0)
    await until(lambda: get("devices"), lambda each: each["devices"])
    body = json.dumps({"interval_ms": 100})
    begun = json.loads((await jp_fetch("gpuperf", "recordings", method="POST", body=body)).body)
    source.tell("node2", time.time(), 20.0, C=300.0)

    async def described():
        answer = await jp_fetch("gpuperf", "recordings", begun["id"], params={"describe": 1})
        return json.loads(answer.body)

    frames = (await described())["frames_count"]
    await until(described, lambda each: each["frames_count"] > frames + 3)
    await jp_fetch("gpuperf", "recordings", begun["id"], method="DELETE")
    text = gzip.decompress((await jp_fetch("gpuperf", "recordings", begun["id"])).body).decode()
    assert "node" not in text
    assert '"host-1":{"host_cpu_percent":10.0}' in text
    assert '"host":"host-2"' in text
