"""For dry runs: two devices that work all the time, out of the steady part of a recording."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from msgspec.structs import replace
from real_server import ROOT

from jupyter_gpuperf.metrics import METRICS
from jupyter_gpuperf.recordings.load import load_recording
from jupyter_gpuperf.schemas import Frame, encode

HEALTHY = ROOT / "jupyter_gpuperf" / "recordings" / "h100_healthy_resnet50_bf16.jsonl.gz"
STEADY_SECONDS = (15.5, 23.5)
UUIDS = ("GPU-0", "GPU-1")


def at_work_all_the_time(target: Path) -> Path:
    """Write the recording."""
    played = load_recording(HEALTHY, METRICS)
    (info,) = played.devices(0.0)
    infos = [
        json.loads(encode(replace(info, uuid=uuid, index=index)))
        for index, uuid in enumerate(UUIDS)
    ]
    header = {"format": "gpuperf-recording", "format_version": 1, "devices": infos}
    first, last = STEADY_SECONDS
    with gzip.open(target, "wt") as out:
        out.write(json.dumps(header) + "\n")
        for seconds in (each for each in played.seconds if first <= each <= last):
            (readings,) = played.read(seconds).values()
            frame = Frame(
                time_seconds=1e9 + seconds,
                devices=dict.fromkeys(UUIDS, readings),
                host=played.read_host(seconds),
                host_cores_percent=[],
            )
            out.write(encode(frame).decode() + "\n")
    return target
