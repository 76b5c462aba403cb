"""Every route on a recording of two H100s: each device has what is its own."""

from __future__ import annotations

import asyncio

import pytest
from recorded_pairs import PIDS
from recorded_parts import with_a_late_rank


@pytest.fixture
def jp_server_config(jp_server_config, tmp_path):
    source = f"replay:{with_a_late_rank(tmp_path)}"
    # Nobody listens: it must be read often all the same, for there to be findings soon.
    return {**jp_server_config, "GpuPerf": {"source": source, "idle_interval_ms": 500}}


async def test_both_devices_are_in_every_answer(get):
    infos = (await get("devices"))["devices"]
    assert [each["index"] for each in infos] == [0, 1]
    waiting, late = (each["uuid"] for each in infos)
    latest = (await get("latest"))["devices"]
    assert set(latest) == {waiting, late}
    assert latest[waiting]["energy_joules"] != latest[late]["energy_joules"]
    past = (await get("history", seconds=60, step_seconds=1))["devices"]
    for uuid in (waiting, late):
        newest = past[uuid]["metrics"]["memory_used_bytes"]["mean"][-1]
        assert newest == pytest.approx(latest[uuid]["memory_used_bytes"], rel=0.01)
    listed = (await get("processes"))["devices"]
    assert [each["driver_pid"] for each in listed[waiting]["processes"]] == [PIDS[0]]
    assert [each["driver_pid"] for each in listed[late]["processes"]] == [PIDS[1]]


async def test_the_ranks_play_on_their_devices(get):
    infos = (await get("devices"))["devices"]
    while not (notebooks := (await get("training"))["now"]["notebooks"]):
        await asyncio.sleep(0.05)
    loops = notebooks[0]["loaders"]
    assert [(each["rank"], each["device_uuid"]) for each in loops] == [
        (index, each["uuid"]) for index, each in enumerate(infos)
    ]


async def test_who_is_late_is_among_the_findings_and_who_waits_is_not(get):
    _, late = (await get("devices"))["devices"]

    async def told():
        while True:
            found = {each["code"]: each for each in (await get("findings"))["findings"]}
            if {"input-bound", "communication-bound"} <= set(found):
                return found
            await asyncio.sleep(0.2)

    found = await asyncio.wait_for(told(), 60)
    assert {each["device"] for each in found.values()} == {late["uuid"]}
    assert found["input-bound"]["confidence"] == "confirmed"
    assert found["communication-bound"]["pid"] == PIDS[1]
