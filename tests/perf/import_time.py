"""Measure the time of importing the package, and the time that it adds to a server's start.

    python tests/perf/import_time.py [--rounds 20] [--json]

The server's start is measured in forks of a process that has already imported jupyter_server, because that
import takes a second or two and varies by more than the measured times. The start includes importing the
extension, building it, and its start hook. The order is always A B B A, so that a change in the machine's
speed affects both. The results are medians of the differences within a round.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

START = """
import asyncio, json, os, sys, time
from jupyter_server.extension import application
from jupyter_server.serverapp import ServerApp
# The other extensions take seconds; their noise would hide this extension's time.
others = ("jupyterlab", "jupyter_lsp", "jupyter_server_terminals", "notebook", "notebook_shim")

def start(ours):
    began = time.perf_counter()
    app = ServerApp()
    extensions = {**dict.fromkeys(others, False), "jupyter_gpuperf": ours}
    app.initialize(["--no-browser", "--allow-root", "--port=0", "--IdentityProvider.token=x",
        "--ServerApp.log_level=ERROR", "--ServerApp.terminals_enabled=False",
        "--ServerApp.jpserver_extensions=" + repr(extensions)])
    asyncio.get_event_loop().run_until_complete(app.extension_manager.start_all_extensions())
    return 1000 * (time.perf_counter() - began)

def in_a_fork(ours):
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.write(writing, json.dumps(start(ours)).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        found = json.loads(answer.read())
    os.wait()
    return found

in_a_fork(True), in_a_fork(False)  # not measured: the first start is slower
print(json.dumps([[in_a_fork(ours) for ours in (False, True, True, False)]
    for _ in range(int(sys.argv[1]))]))
"""


def milliseconds_of(*command: str) -> float:
    """Return the wall time of a whole process in milliseconds."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return 1000 * (time.perf_counter() - began)


def import_differences(rounds: int) -> list[float]:
    """Return the milliseconds that ``import jupyter_gpuperf`` adds to an empty Python, per round (A B B A)."""
    without, with_it = "pass", "import jupyter_gpuperf"
    return [
        difference([milliseconds_of(sys.executable, "-c", code) for code in each])
        for each in [(without, with_it, with_it, without)] * rounds
    ]


def start_differences(rounds: int) -> list[float]:
    """Return the milliseconds that the extension adds to a server's start, per round (A B B A)."""
    with tempfile.TemporaryDirectory() as home:
        folders = {f"JUPYTER_{kind}_DIR": str(Path(home) / kind) for kind in ("CONFIG", "RUNTIME")}
        environment = {**os.environ, **folders, "JUPYTER_GPUPERF_SOURCE": "auto"}
        # Measure with bytecode, as after an installation. The first start writes it.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        done = subprocess.run(
            [sys.executable, "-c", START, str(rounds)],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
    return [difference(each) for each in json.loads(done.stdout.splitlines()[-1])]


def difference(abba: list[float]) -> float:
    """Return the mean of B minus the mean of A, from four figures in the order A B B A."""
    before, first, second, after = abba
    return (first + second - before - after) / 2


def main() -> None:
    """Measure, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = {
        "import_ms": import_differences(options.rounds),
        "added_to_server_start_ms": start_differences(options.rounds),
    }
    medians = {name: round(statistics.median(values), 2) for name, values in figures.items()}
    if options.json:
        print(json.dumps({"medians": medians, "differences": figures}))
    else:
        for name, value in medians.items():
            print(f"{name}: {value} (median of {options.rounds} rounds)")


if __name__ == "__main__":
    main()
