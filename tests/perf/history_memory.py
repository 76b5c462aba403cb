"""Measure the cost of the history: memory when full, time to add a tick, time to answer a query.

    python tests/perf/history_memory.py [--devices 8] [--hours 25] [--json]

It adds a day of ticks with a value for every metric: the last ten minutes at 10 Hz, the rest at one tick per 5 s.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import tracemalloc

from jupyter_gpuperf.metrics import METRICS
from jupyter_gpuperf.sampling import HistoryStore
from jupyter_gpuperf.schemas import Frame

FULL_RATE_SECONDS = 600.0


def main() -> None:
    """Measure, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--devices", type=int, default=8)
    parser.add_argument("--hours", type=float, default=25.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    changing = [metric for metric in METRICS if metric.kind != "limit"]
    of_device = [metric.name for metric in changing if metric.scope == "device"]
    of_host = [metric.name for metric in changing if metric.scope == "host"]

    def frame(now: float) -> Frame:
        readings = {name: now % 977 + place for place, name in enumerate(of_device)}
        return Frame(
            time_seconds=now,
            devices={f"GPU-{index}": readings for index in range(options.devices)},
            host={name: now % 977 for name in of_host},
            host_cores_percent=[],
        )

    tracemalloc.start()
    history = HistoryStore(
        seconds=FULL_RATE_SECONDS,
        shortest_interval_seconds=0.1,
        device_metrics=of_device,
        host_metrics=of_host,
    )
    before, _ = tracemalloc.get_traced_memory()
    now, end = 1e9, 1e9 + 3600 * options.hours
    while now < end - FULL_RATE_SECONDS:
        history.append(frame(now))
        now += 5.0
    append_seconds = []
    while now < end:
        history.append(frame(now))
        now += 0.1
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    for _ in range(1000):
        each = frame(now)
        began = time.perf_counter()
        history.append(each)
        append_seconds.append(time.perf_counter() - began)
        now += 0.1
    overview = [metric.name for metric in METRICS if metric.overview]
    queries = {}
    for name, seconds, step in (("2_min", 120, 1), ("2_h", 7200, 12), ("24_h", 86_400, 144)):
        began = time.perf_counter()
        history.query(seconds=seconds, step_seconds=step, metrics=overview)
        queries[f"query_{name}_ms"] = round(1000 * (time.perf_counter() - began), 1)
    figures = {
        "devices": options.devices,
        "metrics": len(of_device),
        "full_mib": round((after - before) / 2**20, 1),
        "append_median_ms": round(1000 * statistics.median(append_seconds), 3),
        "append_p99_ms": round(1000 * sorted(append_seconds)[990], 3),
        **queries,
    }
    print(json.dumps(figures) if options.json else figures)


if __name__ == "__main__":
    main()
