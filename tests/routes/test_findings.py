"""The diagnosis over REST and on the live socket, on two replayed devices."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from jupyter_gpuperf.schemas import Finding, FindingsChanged, LiveMessage

SEVERITIES = {"info", "warning", "critical"}


@pytest.fixture
def jp_server_config(jp_server_config, starved_recording):
    # In the middle of the work: the recording's ten seconds of rest would have to be waited for.
    return {**jp_server_config, "GpuPerf": {"source": f"replay:{starved_recording}"}}


@pytest.fixture
def steady_replay(monkeypatch):
    """Play the steady part alone."""
    from jupyter_gpuperf.sources import replay

    monkeypatch.setattr(replay, "_position", lambda _seconds, elapsed: 12.0 + elapsed % 10.0)


async def test_a_starved_gpu_is_found_by_rest_and_told_on_the_socket(
    steady_replay, get, jp_ws_fetch
):
    socket = await jp_ws_fetch("gpuperf", "live", params={"interval_ms": 100})
    told = None
    while told is None or not told.findings:
        raw = await asyncio.wait_for(socket.read_message(), 60)
        message = msgspec.json.decode(raw, type=LiveMessage)
        told = message if isinstance(message, FindingsChanged) else told
    socket.close()
    body = await get("findings")
    assert body["undecided"] == []  # an H100 has all the readings that decide
    (finding,) = [each for each in body["findings"] if each["code"] == "input-bound"]
    assert finding["severity"] in SEVERITIES - {"info"}
    assert {"code", "severity", "summary", "evidence", "advice"} <= set(finding)
    assert finding["evidence"]["busy_ratio"] < 0.1
    msgspec.convert(finding, Finding)
    devices = await get("devices")
    assert finding["device"] == devices["devices"][0]["uuid"]


async def test_without_readings_there_are_no_findings(get):
    assert (await get("findings"))["findings"] == []
