"""A recording of two devices, put together from two recordings of real H100s: two ranks train, and one is late.

What a kernel of NCCL that waits makes of the other's readings is set by hand: busy, and hardly any of the chip at work.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from msgspec.structs import replace

from jupyter_gpuperf.metrics import METRICS
from jupyter_gpuperf.schemas import Frame, encode
from jupyter_gpuperf.sources.replay import load_recording

BEGAN = 1_700_000_000.0
WAITING, LATE = "GPU-waiting", "GPU-late"
RECORDINGS = {
    WAITING: "h100_healthy_resnet50_bf16.jsonl.gz",
    LATE: "h100_input_bound_jpeg_1worker.jsonl.gz",
}
PIDS = {WAITING: 4710, LATE: 4711}
EVERY_SECONDS = 0.25
WAITS = {
    "utilization_percent": 100.0,
    "graphics_active_percent": 100.0,
    "sm_active_percent": 12.0,
    "tensor_active_percent": 1.0,
    "fp32_active_percent": 0.3,
    "dram_bandwidth_percent": 4.0,
    "power_watts": 210.0,
}
STEADY = (15.5, 23.5)
"""The part of both recordings in which the work goes on."""


def moments() -> list[float]:
    """Return the seconds of its readings."""
    count = int((STEADY[1] - STEADY[0]) / EVERY_SECONDS)
    return [place * EVERY_SECONDS for place in range(count)]


def with_ranks(target: Path) -> Path:
    """Write it: readings and processes of both devices, and what the ranks' step clocks told."""
    package = Path(__file__).parents[2] / "jupyter_gpuperf" / "recordings"
    played = {uuid: load_recording(package / name, METRICS) for uuid, name in RECORDINGS.items()}
    infos = [
        json.loads(encode(replace(each.devices(0.0)[0], uuid=uuid, index=index)))
        for index, (uuid, each) in enumerate(played.items())
    ]
    header = {"format": "gpuperf-recording", "format_version": 1, "devices": infos}
    with gzip.open(target, "wt", compresslevel=1) as out:
        out.write(json.dumps(header) + "\n")
        out.write(json.dumps(_processes()) + "\n")
        for seconds in moments():
            at = STEADY[0] + seconds
            readings = {uuid: each.read(at)[each.label] for uuid, each in played.items()}
            frame = Frame(
                time_seconds=BEGAN + seconds,
                devices={**readings, WAITING: readings[WAITING] | WAITS},
                host=played[LATE].read_host(at),
                host_cores_percent=[],
            )
            out.write(encode(frame).decode() + "\n")
            out.write(json.dumps(training(BEGAN + seconds)) + "\n")
    return target


def _processes() -> dict:
    return {
        "type": "processes",
        "time_seconds": BEGAN,
        "devices": {
            uuid: [
                {
                    "pid": pid,
                    "kinds": ["compute"],
                    "memory_used_bytes": 1e9,
                    "sm_utilization_percent": 50.0,
                }
            ]
            for uuid, pid in PIDS.items()
        },
    }


def training(time_seconds: float, *, late: bool = True) -> dict:
    """Return the server's word about the ranks at some moment."""
    return {
        "type": "training",
        "time_seconds": time_seconds,
        "window_seconds": 10.0,
        "notebooks": [
            {
                "key": "4b1d",
                "pid": 4709,
                "notebook_path": None,
                "connected": True,
                "loaders": [
                    _loop(rank, uuid, time_seconds, idle=0.9 if late and uuid == LATE else 0.0)
                    for rank, uuid in enumerate(PIDS)
                ],
                "cells": [],
            }
        ],
    }


def _loop(rank: int, uuid: str, time_seconds: float, *, idle: float) -> dict:
    return {
        "pid": PIDS[uuid],
        "notebook": "",
        "notebook_key": "4b1d",
        "rank": rank,
        "ranks_count": 2,
        "device_uuid": uuid,
        "loader": "train_loader",
        "loader_id": 1,
        "count": 20,
        "step_seconds": 0.5 + 0.01 * rank,
        "samples_per_second": 128.0,
        "wait_ratio": idle,
        "idle_for_data_ratio": idle,
        "busy_ratio": 1.0 - idle,
        "busy_metric": "graphics_active_percent",
        "idle_for_host_ratio": 0.0,
        "batch_size": 64,
        "batches_per_epoch": 1250,
        "num_workers": 1,
        "prefetch_factor": 2,
        "pin_memory": True,
        "persistent_workers": False,
        "worker_threads": 1,
        "is_training": True,
        "epoch_batches": 400,
        "epoch_left_seconds": 400.0,
        "last_seconds": time_seconds - 0.1,
        "bins": [{"low_seconds": 0.4, "high_seconds": 0.6, "count": 20}],
    }
