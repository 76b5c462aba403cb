"""``GET training`` and ``POST training/explain``; and a kernel's words on their way to them."""

from __future__ import annotations

import asyncio
import json
import os
from concurrent.futures import Future
from pathlib import Path

import pytest
from recorded_training import with_training

from jupyter_gpuperf.kernel_link.address import server_file_name
from jupyter_gpuperf.kernel_link.listener import KernelListener
from jupyter_gpuperf.loop_store.device_usage import DeviceUsage
from jupyter_gpuperf.loop_store.kernel_training import KernelTraining
from jupyter_gpuperf.loop_store.store import TrainingStore
from jupyter_gpuperf.sampling import HistoryStore
from jupyter_gpuperf.schemas import TrainingNow, encode
from jupyter_gpuperf.schemas.cells import CellRan
from jupyter_gpuperf.schemas.training import Steps


async def test_a_server_that_nobody_told_anything_answers_that_there_is_nothing(get):
    answer = await get("training")
    assert answer["now"]["notebooks"] == []
    assert answer["history"] == {}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"key": "k1"}, 404, "notebook_not_watching"),
        ({"key": "k1", "steps": 0}, 400, "parameter_out_of_range"),
        ({"steps": 5}, 400, "invalid_request"),
    ],
)
async def test_explaining_is_refused_with_a_reason(refusal, body, status, code):
    found, answer = await refusal("training", "explain", method="POST", body=json.dumps(body))
    assert (found, answer["code"]) == (status, code)


class TestOnARecordingWithALoop:
    @pytest.fixture
    def jp_server_config(self, jp_server_config, tmp_path):
        session = Path(__file__).parents[1] / "recordings" / "h100_session.jsonl.gz"
        source = with_training(session, tmp_path / "trained.jsonl.gz")
        return {**jp_server_config, "GpuPerf": {"source": f"replay:{source}"}}

    async def test_it_plays_as_of_now_on_the_routes_and_on_the_live_socket(self, get, jp_ws_fetch):
        socket = await jp_ws_fetch("gpuperf", "live", params={"interval_ms": 100})
        while (message := json.loads(await socket.read_message()))["type"] != "training":
            pass
        socket.close()
        (notebook,) = message["notebooks"]
        (loop, held_out) = notebook["loaders"]
        assert (loop["loader"], held_out["loader"]) == ("train_loader", "test_loader")
        assert abs(loop["last_seconds"] - message["time_seconds"]) < 5
        devices = (await get("devices"))["devices"]
        assert loop["device_uuid"] == devices[0]["uuid"]
        answer = await get("training", seconds=60, step_seconds=1)
        assert answer["history"]["4b1d"]["metrics"]["busy_ratio"]["mean"][-1] == pytest.approx(0.45)


@pytest.fixture
def store():
    history = HistoryStore(
        seconds=60,
        shortest_interval_seconds=0.1,
        device_metrics=["utilization_percent", "graphics_active_percent", "power_watts"],
        host_metrics=[],
    )
    return TrainingStore(DeviceUsage(history, now=lambda: 0.0))


async def test_a_kernels_words_reach_the_store_until_it_hangs_up(store, tmp_path):
    training = KernelTraining(store, answered)
    handlers = {Steps: training.steps, CellRan: training.cell_ran}
    served = KernelListener(handlers, runtime_directory=tmp_path)
    await served.start()
    try:
        address = json.loads((tmp_path / server_file_name(os.getpid())).read_bytes())["socket"]
        reader, writer = await asyncio.open_unix_connection(address)
        steps = Steps(kernel_id="k1", notebook_path="a.ipynb", loaders=[], tallies=[])
        writer.write(encode(steps) + b"\n")
        cell = CellRan(
            kernel_id="k1",
            notebook_path=None,
            number=7,
            began_seconds=1.0,
            ended_seconds=2.0,
            device_uuids=["GPU-1"],
        )
        writer.write(encode(cell) + b"\n")
        answer = json.loads(await asyncio.wait_for(reader.readline(), 30))
        assert answer == {
            "type": "footprint",
            "number": 7,
            "busy_percent": None,
            "busy_metric": None,
            "energy_joules": None,
        }
        (notebook,) = shown(store).notebooks
        assert (notebook.key, notebook.notebook_path, notebook.connected) == ("k1", "a.ipynb", True)
        assert [mark.number for mark in notebook.cells] == [7]
        store.explain("k1", 3)
        assert json.loads(await reader.readline()) == {"type": "explain", "steps": 3}
        writer.close()
        while any(each.connected for each in shown(store).notebooks):
            await asyncio.sleep(0.01)
    finally:
        await served.stop()


def answered() -> Future[None]:
    """A reading of the devices that is there at once."""
    ticked: Future[None] = Future()
    ticked.set_result(None)
    return ticked


def shown(store) -> TrainingNow:
    return store.training(seconds=10, step_seconds=1).now
