"""A setting that can't be used is refused with a reason; the server starts, and every route answers."""

from __future__ import annotations

import pytest
from traitlets import TraitError
from traitlets.config import Config

from jupyter_gpuperf import wiring
from jupyter_gpuperf.app import GpuPerf

ODD = [
    ("history_seconds", float("nan")),
    ("history_seconds", float("inf")),
    ("job_deadline_seconds", float("nan")),
    ("job_deadline_seconds", 1e300),
    ("idle_interval_ms", 10**400),
    ("idle_interval_ms", "often"),
    ("results_file", "a\0b"),
    ("results_file", "~nobody-of-this-name/results.sqlite"),
    ("history_file", "\ud800"),
    ("recordings_directory", "\0"),
    ("recordings_directory", 5),
]


@pytest.mark.parametrize(("name", "value"), ODD)
def test_an_odd_setting_is_refused_by_name(name, value):
    with pytest.raises(TraitError, match=name):
        GpuPerf(config=Config({"GpuPerf": {name: value}}))


class TestAServerWithOddSettings:
    @pytest.fixture
    def jp_server_config(self, jp_server_config):
        return {**jp_server_config, "GpuPerf": {**jp_server_config["GpuPerf"], **dict(ODD)}}

    async def test_it_starts_and_its_routes_answer(self, get):
        assert (await get("version"))["api_version"]
        for path in ("latest", "history", "results", "recordings", "suites", "jobs"):
            assert await get(path), path


async def test_if_the_parts_cannot_be_built_the_routes_give_a_reference_into_the_log(
    refusal, jp_ws_fetch, monkeypatch
):
    def broken(*_):
        raise RuntimeError("no parts")

    monkeypatch.setattr(wiring, "Parts", broken)
    for path in ("version", "latest", "jobs"):
        status, answer = await refusal(path)
        assert (status, answer["code"]) == (500, "internal_error")
    socket = await jp_ws_fetch("gpuperf", "live")
    assert await socket.read_message() is None  # the server closed it
    socket.close()
