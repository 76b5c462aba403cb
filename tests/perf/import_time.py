"""What the package costs at import, and what it adds to a server's start.

    python tests/perf/import_time.py [--rounds 20] [--json]

The server's start is taken in processor time, which other programs on the machine disturb less than the
wall clock; a start hardly waits. Fresh processes in turn, with and without (A B B A), so that a machine that changes its speed changes
both; medians of the differences within a round.
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
import sys, time
began = time.process_time()
from jupyter_server.serverapp import ServerApp
app = ServerApp()
# The other extensions take seconds, and their noise would drown ours.
others = ("jupyterlab", "jupyter_lsp", "jupyter_server_terminals", "notebook", "notebook_shim")
extensions = {**dict.fromkeys(others, False), "jupyter_gpuperf": sys.argv[1] == "with"}
app.initialize(["--no-browser", "--allow-root", "--port=0", "--IdentityProvider.token=x",
    "--ServerApp.terminals_enabled=False", "--ServerApp.jpserver_extensions=" + repr(extensions)])
print(1000 * (time.process_time() - began))
"""


def milliseconds_of(*command: str) -> float:
    """Return how long a whole process takes."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return 1000 * (time.perf_counter() - began)


def printed_milliseconds(home: str, *command: str) -> float:
    """Return the milliseconds that a process printed last, run with Jupyter folders of its own."""
    folders = {f"JUPYTER_{kind}_DIR": str(Path(home) / kind) for kind in ("CONFIG", "RUNTIME")}
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env={**os.environ, **folders}
    )
    return float(done.stdout.split()[-1])


def differences(rounds: int, without, with_it) -> list[float]:
    """Return ``with_it() - without()`` of each round, taken in the order A B B A."""
    found = []
    for _ in range(rounds):
        before, first, second, after = without(), with_it(), with_it(), without()
        found.append((first + second - before - after) / 2)
    return found


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    python = sys.executable
    figures = {}
    figures["import_ms"] = differences(
        options.rounds,
        lambda: milliseconds_of(python, "-c", "pass"),
        lambda: milliseconds_of(python, "-c", "import jupyter_gpuperf"),
    )
    with tempfile.TemporaryDirectory() as home:
        figures["added_to_server_start_cpu_ms"] = differences(
            options.rounds,
            lambda: printed_milliseconds(home, python, "-c", START, "without"),
            lambda: printed_milliseconds(home, python, "-c", START, "with"),
        )
    medians = {name: round(statistics.median(values), 2) for name, values in figures.items()}
    if options.json:
        print(json.dumps({"medians": medians, "differences": figures}))
    else:
        for name, value in medians.items():
            print(f"{name}: {value} (median of {options.rounds} rounds)")


if __name__ == "__main__":
    main()
