"""Whatever a client, a kernel spec or a file says, the answer is a refusal with a code: never 500, never silence."""

from __future__ import annotations

import json
import os
import random
import sys

import pytest
from odd_files import DEEP, HEADER, odd_files, packed

HUGE, LONG = "9" * 400, "9" * 5000
BODIES = [
    b'{"benchmark": "launch", "parameters": {"a": ' + DEEP + b"}}",
    DEEP,
    b'{"a": ' * 100_000,
    *(
        f'{{"benchmark": "launch", "{key}": {digits}}}'.encode()
        for digits in (HUGE, LONG, f"-{HUGE}", "1e400", f'"{LONG}"')
        for key in ("device", "kernel_name", "rounds", "budget_seconds", "interval_ms", "seconds")
    ),
    *(
        f'{{"{key}": {digits}}}'.encode()
        for digits in (HUGE, LONG, f"-{HUGE}", "1e400", "1e308", f'"{LONG}"')
        for key in ("device", "rounds", "budget_seconds", "interval_ms", "seconds", "label")
    ),
    f'{{"benchmark": "dataloader", "parameters": {{"items": {HUGE}}}}}'.encode(),
    f'{{"benchmark": "dataloader", "parameters": {{"time_limit_seconds": -{HUGE}}}}}'.encode(),
    f'{{"parameters": {{"dataloader": {{"items": {HUGE}}}}}}}'.encode(),
    f'{{"key": "x", "steps": {HUGE}}}'.encode(),
    b'{"benchmark": "\\ud800"}',
    b'{"benchmark": "\\u0000", "device": "\\u0000", "kernel_name": "\\u0000"}',
    b'{"kernel_names": ["\\u0000", "../..", "' + b"a" * 5000 + b'"]}',
    b"\xff\xfe",
    b'"',
    b"null",
]
SPECS = {
    "no-json": b"{",
    "latin": b'{"argv": ["python"], "display_name": "\xe9"}',
    "deep": b'{"argv": ' + DEEP + b"}",
    "list": b"[]",
    "numbers": b'{"argv": [1, 2], "display_name": "a", "language": "python"}',
    "no-list": b'{"argv": 5, "display_name": "a", "language": "python"}',
    "no-language": b'{"argv": ["python"], "display_name": "a", "language": null}',
    "env": b'{"argv": ["python"], "display_name": "a", "language": "python", "env": ["A"]}',
    "null-byte": b'{"argv": ["/bin/python\\u0000"], "display_name": "a", "language": "python"}',
    "surrogate": b'{"argv": ["python"], "display_name": "\\ud800", "language": "python"}',
    "surrogate-env": b'{"argv": ["python"], "display_name": "a", "language": "python", "env": {"\\ud800": "b"}}',
    "surrogate-language": b'{"argv": ["python"], "display_name": "a", "language": "\\ud800"}',
    "huge": b'{"argv": ["python"], "display_name": ' + LONG.encode() + b"}",
}


@pytest.fixture
def jp_server_config(jp_server_config, tmp_path):
    settings = {**jp_server_config["GpuPerf"], "recordings_directory": str(tmp_path / "kept")}
    return {**jp_server_config, "GpuPerf": settings}


@pytest.fixture
def broken_specs(tmp_path, monkeypatch, jp_environ):
    for name, content in SPECS.items():
        folder = tmp_path / "data" / "kernels" / name
        folder.mkdir(parents=True)
        (folder / "kernel.json").write_bytes(content)
    (tmp_path / "data" / "kernels" / "folder" / "kernel.json").mkdir(parents=True)
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "data"))


@pytest.mark.parametrize("path", ["jobs", "suites", "recordings", "training/explain"])
async def test_a_hostile_body_is_refused(jp_fetch, path):
    for body in BODIES:
        response = await jp_fetch(
            "gpuperf", *path.split("/"), method="POST", body=body, raise_error=False
        )
        answer = json.loads(response.body)
        if response.code in (201, 202):  # some bodies are fine for some routes
            await jp_fetch("gpuperf", path, answer["id"], method="DELETE")
            continue
        assert 400 <= response.code < 500, (body[:80], answer)
        assert answer["code"]


async def test_a_hostile_query_is_refused(jp_fetch):
    words = [HUGE, LONG, f"-{LONG}", "nan", "inf", "1e400", "\0", "\udcff".encode(errors="replace")]
    draw = random.Random(7)
    for path in ("history", "results", "results/1/comparison", "training", "doctor"):
        for word in words:
            names = ("seconds", "step_seconds", "metrics", "limit", "benchmark", "with", "kernel")
            params = {name: word for name in names if path == "doctor" or draw.random() < 0.7}
            response = await jp_fetch("gpuperf", *path.split("/"), params=params, raise_error=False)
            assert response.code < 500, (path, params, response.body)


async def test_a_hostile_message_leaves_the_socket_open(jp_ws_fetch):
    socket = await jp_ws_fetch("gpuperf", "live", params={"interval_ms": 60_000})
    messages = [
        *BODIES,
        *(f'{{"type": "set_interval", "interval_ms": {each}}}' for each in (HUGE, LONG)),
    ]
    for message in messages:
        await socket.write_message(message, binary=isinstance(message, bytes))
        while (answer := await socket.read_message()) is not None:
            if json.loads(answer)["type"] == "error":
                break
        assert answer is not None, message[:80]
    socket.close()


@pytest.mark.parametrize("path", ["jobs", "suites"])
async def test_a_broken_kernel_spec_is_refused(broken_specs, refusal, path):
    for name in (*SPECS, "folder"):
        body = (
            {"kernel_names": [name]}
            if path == "suites"
            else {"benchmark": "dataloader", "kernel_name": name}
        )
        status, answer = await refusal(path, method="POST", body=json.dumps(body))
        assert status in (400, 404), (name, answer)
        assert answer["code"].startswith(("kernel_", "unknown_kernel"))
        assert (await refusal("doctor", params={"kernel": name}))[0] in (400, 404)


async def test_odd_files_beside_the_recordings_disturb_nothing(jp_fetch, get, refusal, tmp_path):
    folder = tmp_path / "kept"
    odd_files(folder)
    packed(folder / "good.jsonl.gz", {**HEADER, "label": "good", "began_seconds": 1.0})
    begun = json.loads((await jp_fetch("gpuperf", "recordings", method="POST", body="")).body)
    labels = [each["label"] for each in (await get("recordings"))["recordings"]]
    assert "good" in labels
    for path in sorted(folder.iterdir()):
        name = os.fsencode(path.name).decode(errors="replace").removesuffix(".jsonl.gz")
        if name.isascii() and "\n" not in name:
            described = {"describe": "1"}
            response = await jp_fetch(
                "gpuperf", "recordings", name, params=described, raise_error=False
            )
            assert response.code in (200, 404)
    stopped = await jp_fetch("gpuperf", "recordings", begun["id"], method="DELETE")
    assert json.loads(stopped.body)["state"] == "stopped"
    await jp_fetch("gpuperf", "recordings", "good", method="DELETE", params={"discard": "1"})
    assert not (folder / "good.jsonl.gz").exists()
    assert (await refusal("recordings", "pipe"))[0] == 404


@pytest.mark.skipif(sys.platform == "darwin", reason="names there are always UTF-8")
class TestAFolderWhoseNameIsNoUtf8:
    @pytest.fixture
    def folder(self, tmp_path):
        return os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")

    @pytest.fixture
    def jp_server_config(self, jp_server_config, folder):
        settings = {**jp_server_config["GpuPerf"], "recordings_directory": folder}
        return {**jp_server_config, "GpuPerf": settings}

    async def test_recordings_work_there(self, jp_fetch, get, folder):
        begun = json.loads((await jp_fetch("gpuperf", "recordings", method="POST", body="")).body)
        assert [each["id"] for each in (await get("recordings"))["recordings"]] == [begun["id"]]
        await jp_fetch("gpuperf", "recordings", begun["id"], method="DELETE")
        assert (await jp_fetch("gpuperf", "recordings", begun["id"])).body
        gone = {"discard": "1"}
        await jp_fetch("gpuperf", "recordings", begun["id"], method="DELETE", params=gone)
        assert not os.listdir(folder)
