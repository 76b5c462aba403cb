"""Measure the time from a cancellation until the last process of a benchmark has ended.

    python tests/perf/cancel_latency.py [--runs 30] [--json]

There are two cases with real processes: the DataLoader benchmark while two workers load, and a worker that
ignores signals and has a grandchild in its own session. The time starts before the call of ``cancel`` and
ends when the supervisor and all processes below it have ended.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from jupyter_gpuperf.jobs.manager import JobManager
from jupyter_gpuperf.schemas import JobInfo, JobRequest

JOBS = Path(__file__).parents[1] / "jobs"
sys.path.insert(0, str(JOBS))

from job_tools import WORKERS, is_alive, request, wait_until

STARTED_SECONDS = 120.0
"""Maximum time until a benchmark works, including torch's import."""
CASES = ("dataloader", "stubborn")


def main() -> None:
    """Measure, and print the results."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--runs", type=int, default=30, help="runs per case (default: 30)")
    options.add_argument("--case", choices=CASES, action="append", help="only this case")
    options.add_argument("--json", action="store_true", help="print JSON instead of a table")
    chosen = options.parse_args()
    found = {case: measure(case, chosen.runs) for case in chosen.case or CASES}
    if chosen.json:
        print(json.dumps({"load_average": os.getloadavg()[0], "cases": found}))
        return
    print(f"{'case':12} {'runs':>4} {'processes':>9} {'median ms':>9} {'p95 ms':>8} {'max ms':>8}")
    for case, each in found.items():
        print(
            f"{case:12} {each['runs']:4d} {each['processes']:9d} {each['median_ms']:9.1f} "
            f"{each['p95_ms']:8.1f} {each['max_ms']:8.1f}"
        )


def measure(case: str, runs: int) -> dict[str, float]:
    """Cancel ``runs`` benchmarks, one after the other, and return statistics of the latency."""
    worker = {} if case == "dataloader" else {"worker": [str(WORKERS / "stand_in.py")]}
    with tempfile.TemporaryDirectory() as folder:
        manager = JobManager(
            devices=list, deadline_seconds=600.0, lock_directory=Path(folder) / "locks", **worker
        )
        try:
            samples = [cancel_one(manager, case) for _ in range(runs)]
        finally:
            manager.close()
    seconds = sorted(second for second, _ in samples)
    return {
        "runs": runs,
        "processes": min(count for _, count in samples),
        "median_ms": 1000 * statistics.median(seconds),
        "p95_ms": 1000 * seconds[max(0, -(-95 * len(seconds) // 100) - 1)],
        "max_ms": 1000 * seconds[-1],
    }


def cancel_one(manager: JobManager, case: str) -> tuple[float, int]:
    """Return the seconds from the cancellation to the end of the last process, and the number of processes."""
    job = manager.submit(REQUESTS[case]())
    wait_until(lambda: AT_WORK[case](manager.get(job.id)), seconds=STARTED_SECONDS)
    pids = descendants(os.getpid())
    began = time.perf_counter()
    manager.cancel(job.id)
    while any(is_alive(pid) for pid in pids):
        time.sleep(0.0005)
    took_seconds = time.perf_counter() - began
    wait_until(lambda: manager.get(job.id).state == "cancelled")
    return took_seconds, len(pids)


def descendants(ancestor: int) -> set[int]:
    """Return the pids of all processes below ``ancestor``: supervisor, worker, and the worker's children."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found, waiting = set(), [ancestor]
    while waiting:
        below = children.get(waiting.pop(), [])
        found.update(below)
        waiting += below
    return found


def loading() -> JobRequest:
    """Return a request for a DataLoader benchmark with two workers that runs for a long time."""
    parameters = {"items": 64, "batch_size": 8, "workers": 2, "rigorous": True}
    return JobRequest(benchmark="dataloader", parameters={**parameters, "time_limit_seconds": 600})


REQUESTS: dict[str, Callable[[], JobRequest]] = {
    "dataloader": loading,
    "stubborn": lambda: request("ignores_sigterm_and_has_a_grandchild"),
}
AT_WORK: dict[str, Callable[[JobInfo], bool]] = {
    "dataloader": lambda job: "batch so far" in job.progress_message,
    "stubborn": lambda job: job.progress_message.startswith("pids"),
}

if __name__ == "__main__":
    main()
