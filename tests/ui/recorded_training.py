"""A recording of a real H100 with added messages of a watched notebook."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

FRAMES_A_WORD = 5
NOTEBOOK = "work/train.ipynb"


def with_training(recording: Path, target: Path, *, cells: int = 2) -> Path:
    """Copy ``recording`` with a training message added every second, as a recorder receives it."""
    frames = 0
    with gzip.open(recording, "rt") as lines, gzip.open(target, "wt", compresslevel=1) as out:
        for line in lines:
            out.write(line)
            message = json.loads(line)
            if message.get("type") != "frame":
                continue
            if frames % FRAMES_A_WORD == 0:
                device = next(iter(message["devices"]))
                out.write(json.dumps(_word(message["time_seconds"], device, frames, cells)) + "\n")
            frames += 1
    return target


def _word(time_seconds: float, device: str, frames: int, cells: int) -> dict:
    data = 0.3 + 0.2 * math.sin(frames / 40)
    loop = {
        "pid": 4711,
        "notebook": NOTEBOOK,
        "device_uuid": device,
        "loader": "train_loader",
        "loader_id": 1,
        "count": 240,
        "step_seconds": 0.0411,
        "samples_per_second": 1557.0 + frames % 7,
        "tokens_per_second": 12_300.0,
        "flops_per_step": 1.67e13,
        "flops_format": "bf16",
        "flops_utilization_ratio": 0.41,
        "flops_utilization_at_clock_ratio": 0.46,
        "wait_ratio": data + 0.04,
        "idle_for_data_ratio": data,
        "busy_ratio": 0.45,
        "busy_metric": "graphics_active_percent",
        "idle_for_host_ratio": max(0.0, 0.55 - data),
        "batch_size": 64,
        "batches_per_epoch": 1250,
        "num_workers": 4,
        "prefetch_factor": 2,
        "pin_memory": True,
        "allocated_bytes": 9 * 2**30,
        "reserved_bytes": 16 * 2**30,
        "peak_allocated_bytes": 14 * 2**30,
        "persistent_workers": False,
        "worker_threads": 1,
        "is_training": True,
        "epoch_batches": 400 + frames // FRAMES_A_WORD,
        "epoch_left_seconds": 0.0411 * (850 - frames // FRAMES_A_WORD),
        "last_seconds": time_seconds - 0.1,
        "bins": [
            {"low_seconds": low, "high_seconds": low * 2**0.25, "count": count}
            for low, count in ((0.0274, 120), (0.0326, 70), (0.0387, 20), (0.0775, 24), (0.11, 6))
        ],
    }
    held_out = loop | {
        "loader": "test_loader",
        "loader_id": 2,
        "is_training": False,
        "step_seconds": 0.0123,
        "tokens_per_second": None,
        "flops_utilization_ratio": None,
    }
    marks = [
        {"number": 3 + each, "began_seconds": time_seconds - 35 + 15 * each, "ended_seconds": 0.0}
        for each in range(cells)
    ]
    return {
        "type": "training",
        "time_seconds": time_seconds,
        "window_seconds": 10.0,
        "notebooks": [
            {
                "key": "4b1d",
                "pid": 4711,
                "notebook_path": NOTEBOOK,
                "connected": True,
                "loaders": [loop, held_out],
                "cells": marks,
            }
        ],
    }
