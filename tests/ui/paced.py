"""A benchmark of another package: quick and steady, with limits on any machine, and with a speed set by the test."""

from __future__ import annotations

import json
import sys
from pathlib import Path

CODE = """
import os
import random
import time
from pathlib import Path

from jupyter_gpuperf.benchmarks.declaration import Benchmark, Parameter

FLOP = 1e12
TOLD = Path(__file__).with_name("pass_seconds")


def run(parameters, context):
    for step in range(1, 51):
        time.sleep(parameters["run_seconds"] / 50)
        context.progress(step / 50, f"step {step}")
    context.warn("The pace is set by a test.")
    told = float(os.environ.get("PACED_SECONDS") or TOLD.read_text())
    seconds = [told * random.uniform(0.99, 1.01) for _ in range(100)]
    low, value, high = (sorted(seconds)[place] for place in (20, 50, 80))
    return {
        "unit": "seconds",
        "figures": {
            "pass_seconds": {"value": value, "low": low, "high": high},
            "bf16_flops_per_second": {
                "value": FLOP / value, "low": FLOP / high, "high": FLOP / low
            },
        },
        "samples": {"pass_seconds": seconds},
        "environment": {
            "device_name": "NVIDIA H100",
            "build": os.environ.get("PACED_SECONDS", "as told"),
            "bf16_flop_per_byte": 500.0,
        },
        "limits": {"bf16_flops_per_second": 1e15, "memory_bytes_per_second": 3.35e12},
    }


BENCHMARK = Benchmark(
    name="paced",
    label="Paced",
    help="Waits, and answers what it was told.",
    requires=(),
    parameters=(
        Parameter(
            name="run_seconds", type="number", default=0.05, minimum=0.0, maximum=600.0,
            help="How long it takes.",
        ),
    ),
    run=run,
)
"""


def install(folder: Path) -> Path:
    """Create the package in a folder for PYTHONPATH; a pass takes 2 ms until ``tell`` changes it."""
    (folder / "paced_benchmark.py").write_text(CODE)
    tell(folder, 0.002)
    info = folder / "paced-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: paced\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[jupyter_gpuperf.benchmarks]\npaced = paced_benchmark:BENCHMARK\n"
    )
    return folder


def tell(folder: Path, seconds: float) -> None:
    """Set the time of a pass from now on."""
    (folder / "pass_seconds").write_text(str(seconds))


def add_kernel(data: Path, name: str, seconds: float) -> None:
    """Add a kernel in whose environment a pass takes a given time."""
    folder = data / "kernels" / name
    folder.mkdir(parents=True)
    spec = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": name.title(),
        "language": "python",
        "env": {"PACED_SECONDS": str(seconds)},
    }
    (folder / "kernel.json").write_text(json.dumps(spec))
