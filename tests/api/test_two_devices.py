"""Every route on a recording of two devices: each device has what is its own."""

from __future__ import annotations

import pytest
from recorded_ranks import LATE, PIDS, WAITING, with_ranks


@pytest.fixture
def jp_server_config(jp_server_config, tmp_path):
    source = with_ranks(tmp_path / "two.jsonl.gz")
    return {**jp_server_config, "GpuPerf": {"source": f"replay:{source}"}}


async def test_both_devices_are_in_every_answer(get):
    infos = (await get("devices"))["devices"]
    assert [each["index"] for each in infos] == [0, 1]
    waiting, late = (each["uuid"] for each in infos)
    assert (waiting.endswith(WAITING), late.endswith(LATE)) == (True, True)
    latest = (await get("latest"))["devices"]
    assert set(latest) == {waiting, late}
    assert latest[waiting]["memory_used_bytes"] != latest[late]["memory_used_bytes"]
    past = (await get("history", seconds=60, step_seconds=1))["devices"]
    for uuid in (waiting, late):
        newest = past[uuid]["metrics"]["memory_used_bytes"]["mean"][-1]
        assert newest == pytest.approx(latest[uuid]["memory_used_bytes"], rel=0.01)
    listed = (await get("processes"))["devices"]
    assert [each["driver_pid"] for each in listed[waiting]["processes"]] == [PIDS[WAITING]]
    assert [each["driver_pid"] for each in listed[late]["processes"]] == [PIDS[LATE]]


async def test_the_ranks_play_on_their_devices(get):
    infos = (await get("devices"))["devices"]
    while not (notebooks := (await get("training"))["now"]["notebooks"]):
        pass
    loops = notebooks[0]["loaders"]
    assert [(each["rank"], each["device_uuid"]) for each in loops] == [
        (place, each["uuid"]) for place, each in enumerate(infos)
    ]
