"""Measure the time of one full every-tick sample of all devices, without a server.

python tests/perf/sample_cost.py [--source nvml] [--samples 2000] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

from jupyter_gpuperf.metrics import all_metrics
from jupyter_gpuperf.sources import source_from
from jupyter_gpuperf.sources.nvml import NvmlDriver


def main() -> None:
    """Measure, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--source", default="nvml", help="a value of c.GpuPerf.source (default: nvml)"
    )
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    metrics = all_metrics()
    # Only the driver, without the host's readings.
    source = (
        NvmlDriver(metrics) if options.source == "nvml" else source_from(options.source, metrics)
    )
    source.open()
    devices = source.devices()
    if devices.reason is not None:
        raise SystemExit(f"{devices.reason.message} {devices.reason.hint}")
    found = []
    for _ in range(options.samples):
        began = time.perf_counter()
        source.read()
        found.append(1000 * (time.perf_counter() - began))
        time.sleep(0.001)
    source.close()
    figures = {
        "devices": len(devices.devices),
        "median_ms": round(statistics.median(found), 4),
        "p99_ms": round(sorted(found)[int(0.99 * len(found))], 4),
        "max_ms": round(max(found), 4),
    }
    print(json.dumps(figures) if options.json else figures)


if __name__ == "__main__":
    main()
