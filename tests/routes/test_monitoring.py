from __future__ import annotations

import time

import msgspec
import pytest
from waiting import until

from jupyter_gpuperf.schemas import API_VERSION, Catalog, Devices, Frame, History


async def test_version_names_the_source_in_use(get):
    await get("latest")
    version = await get("version")
    assert version["api_version"] == API_VERSION
    assert version["source"] == "replay"
    assert version["open_panel"] is False
    assert version["version"]


async def test_catalog_describes_every_reading_of_a_frame(get):
    catalog = msgspec.convert(await get("catalog"), Catalog)
    frame = msgspec.convert(await get("latest"), Frame)
    described = {metric.name for metric in catalog.metrics}
    for readings in [*frame.devices.values(), frame.host]:
        assert set(readings) <= described


async def test_devices_are_those_of_the_recordings(get):
    devices = msgspec.convert(await get("devices"), Devices)
    assert devices.reason is None
    assert [device.name for device in devices.devices] == ["NVIDIA H100 80GB HBM3"] * 2
    assert [device.index for device in devices.devices] == [0, 1]
    assert devices.devices[0].power_limit_watts == 700


async def test_latest_is_fresh_and_has_every_device(get):
    frame = msgspec.convert(await get("latest"), Frame)
    assert abs(frame.time_seconds - time.time()) < 30
    devices = await get("devices")
    assert set(frame.devices) == {device["uuid"] for device in devices["devices"]}
    for readings in frame.devices.values():
        assert 0 < readings["power_watts"] <= 710


async def test_latest_is_read_anew_when_nobody_watched(get, jp_serverapp):
    await get("latest")
    (app,) = jp_serverapp.extension_manager.extension_apps["jupyter_gpuperf"]
    await until(lambda: not app.parts.sampler.is_fresh(1.0))
    asked = time.time()
    frame = await get("latest")
    assert frame["time_seconds"] > asked - 1.0


async def test_history_has_a_column_per_metric_asked_for(get):
    history = msgspec.convert(
        await get("history", seconds=60, step_seconds=1, metrics="power_watts"), History
    )
    assert history.step_seconds == 1
    for columns in history.devices.values():
        assert list(columns.metrics) == ["power_watts"]
        assert len(columns.times_seconds) == len(columns.metrics["power_watts"].mean) >= 1
    assert history.host.metrics == {}


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"seconds": "soon"}, "parameter_wrong_type"),
        ({"seconds": "-1"}, "parameter_out_of_range"),
        ({"seconds": "nan"}, "parameter_out_of_range"),
        ({"step_seconds": "0"}, "parameter_out_of_range"),
        ({"metrics": "power"}, "unknown_metric"),
    ],
)
async def test_a_history_that_cannot_be_is_refused(refusal, params, code):
    status, body = await refusal("history", params=params)
    assert (status, body["code"]) == (400, code)
    assert set(body) >= {"code", "message", "hint"}
    assert body["hint"]


async def test_an_unknown_route_is_refused_in_the_one_shape(refusal):
    status, body = await refusal("nowhere")
    assert (status, body["code"]) == (404, "unknown_route")


async def test_a_wrong_method_is_refused_in_the_one_shape(refusal):
    status, body = await refusal("catalog", method="DELETE")
    assert (status, body["code"]) == (405, "method_not_allowed")
    assert set(body) >= {"code", "message", "hint"}


async def test_looking_at_a_gpu_does_not_count_as_activity(get, jp_serverapp):
    before = jp_serverapp.web_app.last_activity()
    for path in ("version", "catalog", "devices", "latest", "history", "benchmarks", "jobs"):
        await get(path)
    assert jp_serverapp.web_app.last_activity() == before


class TestWithoutGpu:
    @pytest.fixture
    def jp_server_config(self):
        return {
            "ServerApp": {"jpserver_extensions": {"jupyter_gpuperf": True}},
            "GpuPerf": {"source": "none"},
        }

    async def test_there_is_a_reason_and_the_host_goes_on(self, get):
        devices = await get("devices")
        assert devices["devices"] == []
        assert devices["reason"]["code"] == "switched_off"
        frame = await get("latest")
        assert frame["devices"] == {}
        assert frame["host"]["host_memory_total_bytes"] > 0


class TestWithAWrongSetting:
    @pytest.fixture
    def jp_server_config(self):
        return {
            "ServerApp": {"jpserver_extensions": {"jupyter_gpuperf": True}},
            "GpuPerf": {"source": "gpu"},
        }

    async def test_the_server_starts_and_says_what_to_set(self, get):
        reason = (await get("devices"))["reason"]
        assert reason["code"] == "unknown_source"
        assert "auto" in reason["hint"]
