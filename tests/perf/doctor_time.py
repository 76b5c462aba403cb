"""How long the doctor takes, and what the server notices of it.

    python tests/perf/doctor_time.py [--rounds 5] [--json]

    warm               a notebook that has torch loaded: %gpudoctor to its report
    with_import_torch  a fresh interpreter, as the panel and the command examine it
    bare               an environment without torch
    loop_delay_ms      the longest that the event loop of a process waits while it has one examined

Medians of rounds; the first of each is thrown away, because it reads from the disk. ``processor_seconds``
is what all its processes used: on a busy machine that tells more than the time on the wall.
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
    """Return medians of the time on the wall, the checks' own part of it, and processor time."""
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
    """Return the processor time of all children that ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


async def loop_delay_ms(target: CheckTarget) -> float:
    """Return the longest that this loop waited while an environment was examined."""
    running = asyncio.ensure_future(asyncio.to_thread(CheckRunner().run, target))
    longest = 0.0
    while not running.done():
        began = time.perf_counter()
        await asyncio.sleep(TICK_SECONDS)
        longest = max(longest, time.perf_counter() - began - TICK_SECONDS)
    return round(1000 * longest, 1)


def main() -> None:
    """Measure, and print."""
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
