"""``recordings``: begin, look, download, replay, delete; by whoever may, and by nobody else."""

from __future__ import annotations

import asyncio
import json

import pytest

from jupyter_gpuperf.metrics import METRICS
from jupyter_gpuperf.recordings.load import load_recording


@pytest.fixture
def jp_server_config(jp_server_config, tmp_path):
    settings = {**jp_server_config["GpuPerf"], "recordings_directory": str(tmp_path / "kept")}
    return {**jp_server_config, "GpuPerf": settings}


@pytest.fixture
def call(jp_fetch):
    async def call(method, *path, body=None, **params):
        options = {} if body is None else {"body": json.dumps(body)}
        if method == "POST" and body is None:
            options["body"] = ""
        response = await jp_fetch("gpuperf", *path, method=method, params=params, **options)
        return response

    return call


async def test_begin_look_download_replay_delete(call, get, tmp_path):
    response = await call("POST", "recordings", body={"label": "a test", "interval_ms": 100})
    assert response.code == 201
    begun = json.loads(response.body)
    assert begun["state"] == "recording"
    for _ in range(200):
        described = json.loads((await call("GET", "recordings", begun["id"], describe=1)).body)
        if described["frames_count"] >= 5:
            break
        await asyncio.sleep(0.05)

    stopped = json.loads((await call("DELETE", "recordings", begun["id"])).body)
    assert (stopped["state"], stopped["label"], stopped["error"]) == ("stopped", "a test", None)
    again = json.loads((await call("DELETE", "recordings", begun["id"])).body)
    assert again == stopped

    download = await call("GET", "recordings", begun["id"])
    assert download.headers["Content-Type"] == "application/gzip"
    assert f'filename="{begun["id"]}.jsonl.gz"' in download.headers["Content-Disposition"]
    path = tmp_path / "sent.jsonl.gz"
    path.write_bytes(download.body)
    recording = load_recording(path, METRICS)
    assert len(recording.seconds) == stopped["frames_count"] >= 5
    frame = await get("latest")
    assert set(recording.read(0.0)) == set(frame["devices"])

    assert [each["id"] for each in (await get("recordings"))["recordings"]] == [begun["id"]]
    await call("DELETE", "recordings", begun["id"], discard=1)
    assert (await get("recordings"))["recordings"] == []


async def test_an_empty_body_is_fine_and_a_wrong_one_is_refused(call, refusal):
    begun = json.loads((await call("POST", "recordings")).body)
    assert begun["state"] == "recording"
    await call("DELETE", "recordings", begun["id"], discard=1)
    status, body = await refusal("recordings", method="POST", body='{"interval_ms": 5}')
    assert (status, body["code"]) == (400, "parameter_out_of_range")
    status, body = await refusal("recordings", method="POST", body='{"speed": 5}')
    assert (status, body["code"]) == (400, "invalid_request")


async def test_an_unknown_recording_and_one_outside_of_the_folder_are_not_found(refusal, tmp_path):
    (tmp_path / "secret.jsonl.gz").write_bytes(b"secret")
    for name in ("none", "..%2Fsecret", "%2E%2E%2Fsecret"):
        status, body = await refusal("recordings", name)
        assert status == 404, (name, body)


async def test_a_running_recording_can_be_downloaded(call, tmp_path):
    begun = json.loads((await call("POST", "recordings")).body)
    path = tmp_path / "so-far.jsonl.gz"
    for _ in range(100):
        path.write_bytes((await call("GET", "recordings", begun["id"])).body)
        try:
            recording = load_recording(path, METRICS)
            break
        except ValueError:
            await asyncio.sleep(0.1)
    assert recording.seconds
    await call("DELETE", "recordings", begun["id"], discard=1)
