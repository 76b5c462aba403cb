"""Measure how long the doctor takes, and how long it delays the server's event loop.

    python tests/perf/doctor_time.py [--rounds 5] [--json]

    warm               %gpudoctor in a notebook that has already loaded torch
    with_import_torch  a new interpreter, as the panel and the command use it
    bare               an environment without torch
    loop_delay_ms      the longest delay of a process's event loop during an examination

The figures are medians over the rounds; the first round is discarded, because it reads from the disk.
``processor_seconds`` is the CPU time of all the doctor's processes. On a busy machine it is more reliable than
wall time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import sys
import tempfile
import time
import venv
from pathlib import Path

from jupyter_gpuperf.checks.probes.kernel import kernel_facts
from jupyter_gpuperf.jobs.check_runner import CheckRunner, CheckTarget, server_facts

TICK_SECONDS = 0.002


def measured(target: CheckTarget, rounds: int) -> dict[str, float]:
    """Return the medians of wall time, the checks' own part of it, and CPU time."""
    figures: dict[str, list[float]] = {"seconds": [], "checks_seconds": [], "processor_seconds": []}
    for number in range(rounds + 1):
        used, began = used_seconds(), time.perf_counter()
        report = CheckRunner().run(target)
        took = (time.perf_counter() - began, report.duration_seconds, used_seconds() - used)
        if number:
            for name, value in zip(figures, took, strict=True):
                figures[name].append(value)
    return {name: round(statistics.median(values), 3) for name, values in figures.items()}


def used_seconds() -> float:
    """Return the CPU seconds of all child processes that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


async def loop_delay_ms(target: CheckTarget) -> float:
    """Return the longest delay of this event loop while an environment is examined."""
    running = asyncio.ensure_future(asyncio.to_thread(CheckRunner().run, target))
    longest = 0.0
    while not running.done():
        began = time.perf_counter()
        await asyncio.sleep(TICK_SECONDS)
        longest = max(longest, time.perf_counter() - began - TICK_SECONDS)
    return round(1000 * longest, 1)


def main() -> None:
    """Measure, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    facts = server_facts()
    fresh = CheckTarget(server=facts)
    figures: dict[str, object] = {"with_import_torch": measured(fresh, options.rounds)}
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=False)
        bare = CheckTarget(interpreter=str(Path(folder) / "bin" / "python"), server=facts)
        figures["bare"] = measured(bare, options.rounds)
    figures["loop_delay_ms"] = asyncio.run(loop_delay_ms(fresh))
    __import__("torch")
    figures["warm"] = measured(CheckTarget(server=facts, live=kernel_facts()), options.rounds)
    if options.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name}: {value}")
    print(f"({options.rounds} rounds, {sys.version.split()[0]})")


if __name__ == "__main__":
    main()
