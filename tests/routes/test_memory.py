"""``GET memory`` and ``memory/free``: a real kernel answers for its names, also while a cell runs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time

import pytest
from tornado.httpclient import HTTPClientError

pytest.importorskip("torch")

PREPARED = """\
%load_ext jupyter_gpuperf
import pathlib, time, torch
def mebibytes(count): return torch.zeros(count * 2**18)
losses = [mebibytes(4), mebibytes(4)]
"""
MIB = 2**20


class Notebook:
    def __init__(self, kernel_id, client):
        self.id, self.client = kernel_id, client

    async def run(self, code):
        await self.client.execute_interactive(code, timeout=60, output_hook=lambda _: None)


@contextlib.asynccontextmanager
async def notebook_on(server):
    """Start a kernel with some tensors."""
    app = next(iter(server.extension_manager.extension_apps["jupyter_gpuperf"]))
    await app.parts.kernel_listener.start()
    manager = server.kernel_manager
    kernel_id = await manager.start_kernel()
    client = manager.get_kernel(kernel_id).client()
    client.start_channels()
    try:
        await client.wait_for_ready(timeout=60)
        notebook = Notebook(kernel_id, client)
        await notebook.run(PREPARED)
        yield notebook
    finally:
        client.stop_channels()
        await manager.shutdown_kernel(kernel_id, now=True)
        await app.parts.kernel_listener.stop()


async def until(get, wanted, *path, **params):
    """Ask until the answer is as wanted: the kernel may not be connected yet."""
    end, answer = time.monotonic() + 30, None
    while time.monotonic() < end:
        try:
            answer = await get(*path, **params)
            if wanted(answer):
                return answer
        except HTTPClientError as error:
            answer = error.response.body
        await asyncio.sleep(0.1)
    raise AssertionError(answer)


def sizes(answer):
    return {(each["kind"], each["name"]): each["bytes"] / MIB for each in answer["owners"]}


async def test_a_kernel_tells_its_owners_also_while_a_cell_runs(
    get, refusal, jp_serverapp, tmp_path
):
    async with notebook_on(jp_serverapp) as notebook:

        def is_found(answer):
            return sizes(answer).get(("variable", "losses")) == 8

        idle = await until(get, is_found, "memory", kernel=notebook.id)
        assert (idle["device"], idle["kernel"]) == ("cpu", notebook.id)
        assert idle["age_seconds"] < 5
        began, done = tmp_path / "began", tmp_path / "done"
        cell = f"""
    losses.append(mebibytes(2))
    pathlib.Path({str(began)!r}).touch()
    while not pathlib.Path({str(done)!r}).exists(): sum(range(1000))
    """
        running = asyncio.ensure_future(notebook.run(cell))
        while not began.exists():
            await asyncio.sleep(0.05)

        def is_grown(answer):
            return sizes(answer).get(("variable", "losses")) == 10

        await until(get, is_grown, "memory", kernel=notebook.id)
        assert not running.done()
        body = json.dumps({"kernel": notebook.id})
        status, answer = await refusal("memory", "free", method="POST", body=body)
        assert (status, answer["code"]) == (503, "kernel_busy")
        done.touch()
        await running


async def test_freeing_clears_what_it_says_and_frees_as_much(get, jp_fetch, jp_serverapp):
    async with notebook_on(jp_serverapp) as notebook:
        await notebook.run("mebibytes(6)")
        freeable = await until(get, bool, "memory", "free", kernel=notebook.id)
        assert freeable["promised_bytes"] == 6 * MIB
        assert {"Out[2]", "_2", "_"} <= set(freeable["cleared"])
        body = json.dumps({"kernel": notebook.id})
        freed = json.loads(
            (await jp_fetch("gpuperf", "memory", "free", method="POST", body=body)).body
        )
        assert freed["freed_bytes"] == 6 * MIB
        after = await get("memory", kernel=notebook.id)
        assert sizes(after) == {("variable", "losses"): 8}


@pytest.fixture
def jp_server_config(jp_server_config, training_recording):
    return {**jp_server_config, "GpuPerf": {"source": f"replay:{training_recording}"}}


async def test_a_cell_that_ran_out_of_memory_is_a_finding_until_the_kernel_restarts(
    get, jp_serverapp
):
    async with notebook_on(jp_serverapp) as notebook:
        await notebook.run('raise torch.OutOfMemoryError("Tried to allocate 2.00 GiB")')

        def of_notebook(answer):
            return [each for each in answer["findings"] if each["code"] == "out-of-memory"]

        (finding,) = of_notebook(await until(get, of_notebook, "findings"))
        assert (finding["confidence"], finding["severity"]) == ("confirmed", "critical")
        assert "losses" in finding["summary"]
        assert finding["evidence"]["requested_bytes"] == 2 * 2**30
        await jp_serverapp.kernel_manager.restart_kernel(notebook.id, now=True)
        await until(get, lambda answer: not of_notebook(answer), "findings")


async def test_a_kernel_without_the_extension_is_refused_with_the_line_to_run(refusal):
    status, answer = await refusal("memory", params={"kernel": "none"})
    assert (status, answer["code"]) == (404, "kernel_not_attached")
    assert "%load_ext jupyter_gpuperf" in answer["hint"]
    assert (await refusal("memory"))[1]["code"] == "kernel_missing"
