"""Processes that a notebook starts and that train together: from their own loaders to what is found of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest
from made import device, window
from msgspec import structs

from jupyter_gpuperf.kernel_link.listener import KernelListener
from jupyter_gpuperf.loop_store.device_usage import DeviceUsage
from jupyter_gpuperf.loop_store.kernel_training import KernelTraining
from jupyter_gpuperf.loop_store.store import TrainingStore
from jupyter_gpuperf.recordings.anonymized import anonymized_training
from jupyter_gpuperf.rules import RULES, judge
from jupyter_gpuperf.sampling import HistoryStore
from jupyter_gpuperf.schemas import encode
from jupyter_gpuperf.schemas.cells import CellRan
from jupyter_gpuperf.schemas.training import Steps

torch = pytest.importorskip("torch")

ROOT = Path(__file__).parents[2]
RANK = ROOT / "tests" / "gpu" / "two_devices" / "programs" / "watched_training.py"
LIKE_A_KERNEL = """
import json, subprocess, sys
ranks = [
    subprocess.Popen([sys.executable, sys.argv[1], task], stdin=subprocess.PIPE)
    for task in json.loads(sys.argv[2])
]
sys.stdin.read()
for rank in ranks:
    rank.kill()
    rank.wait()
"""


@pytest.fixture
def store():
    history = HistoryStore(
        seconds=60,
        shortest_interval_seconds=0.1,
        device_metrics=["utilization_percent", "graphics_active_percent", "power_watts"],
        host_metrics=[],
    )
    return TrainingStore(DeviceUsage(history, now=lambda: 0.0))


@contextlib.asynccontextmanager
async def listening(store, tmp_path):
    """A server's socket, where the ranks look for it."""
    training = KernelTraining(store, Future)  # no cell waits for a reading
    handlers = {Steps: training.steps, CellRan: training.cell_ran}
    served = KernelListener(handlers, runtime_directory=tmp_path)
    await served.start()
    try:
        yield
    finally:
        await served.stop()


@contextlib.contextmanager
def notebook(folder):
    """Two ranks that a process with a kernel's command line has started; the second is slow to load."""
    mode = folder / "mode"
    mode.write_text("data")
    tasks = [
        json.dumps(
            {
                "rank": rank,
                "ranks": 2,
                "meeting_file": str(folder / "meeting"),
                "mode_file": str(mode),
                "delay_seconds": 0.3,
                "device_uuid": None,
                "dry": True,
            }
        )
        for rank in range(2)
    ]
    program = [sys.executable, "-c", LIKE_A_KERNEL, str(RANK), json.dumps(tasks)]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "JPY_PARENT_PID": str(os.getpid()),
        "JUPYTER_RUNTIME_DIR": str(folder),
        "OMP_NUM_THREADS": "1",
    }
    with subprocess.Popen(
        [*program, "-f", "/run/kernel-4b1d.json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=environment,
    ) as process:
        try:
            yield
        finally:
            process.stdin.close()
            process.wait(20)


def found_of(told):
    # The ranks have no devices: they get theirs here.
    steps = [structs.replace(each, device_uuid=f"GPU-{each.rank}") for each in told.values()]
    devices = [replace(device(f"GPU-{index}"), index=index) for index in (0, 1)]
    found = judge(window(*devices, steps=steps), RULES)
    return [each for each in found if each.code == "communication-bound"]


async def told_when_found(store):
    """Wait until what both ranks tell of their steps gives a finding; return it with what they told."""
    while True:
        told = {each.rank: each for each in store.steps_over(10)}
        if set(told) == {0, 1} and (found := found_of(told)):
            return told, found
        await asyncio.sleep(0.2)


async def test_the_late_one_of_two_ranks_is_found_by_their_own_clocks(store, tmp_path):
    async with listening(store, tmp_path):
        with notebook(tmp_path):
            told, found = await asyncio.wait_for(told_when_found(store), 240)
            now = store.training(seconds=10, step_seconds=1).now
    assert told[0].pid != told[1].pid
    assert {each.ranks_count for each in told.values()} == {2}
    assert {each.notebook_key for each in told.values()} == {"4b1d"}
    assert told[1].wait_ratio > told[0].wait_ratio
    (shown,) = now.notebooks
    assert [each.rank for each in shown.loaders] == [0, 1]
    # A recording leaves the notebook's name out; that they belong together it keeps.
    replayed = json.loads(anonymized_training(encode(now)))["notebooks"][0]["loaders"]
    assert [each["notebook_key"] for each in replayed] == ["4b1d", "4b1d"]
    (late,) = found
    assert late.device == "GPU-1"
    assert f"GPU 1 (process {told[1].pid}) waits for data and delays" in late.summary
