"""A benchmark of another package, quick and even-paced: its figures have limits, whatever the machine."""

from __future__ import annotations

from pathlib import Path

CODE = """
import random
import time

from jupyter_gpuperf.benchmarks.declaration import Benchmark, Parameter


def run(parameters, context):
    steps = 50
    for step in range(1, steps + 1):
        time.sleep(parameters["run_seconds"] / steps)
        context.progress(step / steps, f"step {step}")
    noise = random.Random(int(1000 * parameters["pass_seconds"]))
    seconds = [parameters["pass_seconds"] * noise.uniform(0.99, 1.01) for _ in range(100)]
    rates = [1e12 / each for each in seconds]
    low, value, high = sorted(seconds)[40], sorted(seconds)[50], sorted(seconds)[60]
    return {
        "unit": "seconds",
        "figures": {
            "pass_seconds": {"value": value, "low": low, "high": high},
            "bf16_flops_per_second": {"value": 1e12 / value, "low": 1e12 / high, "high": 1e12 / low},
        },
        "samples": {"pass_seconds": seconds, "bf16_flops_per_second": rates},
        "environment": {"device_name": "NVIDIA H100", "bf16_flop_per_byte": 500.0},
        "limits": {"bf16_flops_per_second": 989e12, "memory_bytes_per_second": 3.35e12},
    }


BENCHMARK = Benchmark(
    name="paced",
    label="Paced",
    help="Waits, and answers what it was told.",
    requires=(),
    parameters=(
        Parameter(name="pass_seconds", type="number", default=0.002, minimum=0.0, maximum=1.0,
                  help="What it answers."),
        Parameter(name="run_seconds", type="number", default=0.1, minimum=0.0, maximum=600.0,
                  help="How long it takes."),
    ),
    run=run,
)
"""


def install(folder: Path) -> Path:
    """Make the package in a folder, for PYTHONPATH."""
    (folder / "paced_benchmark.py").write_text(CODE)
    info = folder / "paced-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: paced\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[jupyter_gpuperf.benchmarks]\npaced = paced_benchmark:BENCHMARK\n"
    )
    return folder
