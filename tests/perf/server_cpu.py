"""Measure the server's CPU time with and without a live client.

    python tests/perf/server_cpu.py [--devices 8] [--interval-ms 1000] [--seconds 30] [--source nvml] [--json]

It measures one server's CPU time over ``--seconds``, with one live client and without. Other extensions are off.
The CPU time of a server without this extension is measured separately and subtracted.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
from server_process import running_server

OTHERS = ("jupyterlab", "jupyter_lsp", "jupyter_server_terminals", "notebook", "notebook_shim")


def busy_percent(server: psutil.Process, seconds: float) -> float:
    """Return the CPU time of a process over some seconds, in percent of a core."""
    before = server.cpu_times()
    time.sleep(seconds)
    after = server.cpu_times()
    return 100 * (after.user + after.system - before.user - before.system) / seconds


def measure(options: argparse.Namespace, *, ours: bool) -> dict[str, float]:
    """Start a server, and return its CPU use in percent of a core, unwatched and (with ``ours``) watched."""
    extensions = {**dict.fromkeys(OTHERS, False), "jupyter_gpuperf": ours}
    first = "gpuperf/latest" if ours else "api/status"
    with running_server(
        devices=options.devices, source=options.source, extensions=extensions, first=first
    ) as server:
        time.sleep(3)
        figures = {"unwatched_percent": busy_percent(server.process, options.seconds)}
        if ours:
            sockets = server.base.replace("http", "ws")
            live = f"{sockets}gpuperf/live?interval_ms={options.interval_ms}"
            script = str(Path(__file__).with_name("server_latency.py"))
            client = subprocess.Popen(
                [sys.executable, script, "--as-clients", json.dumps([live]), server.token, "1", ""]
            )
            time.sleep(3)
            figures["watched_percent"] = busy_percent(server.process, options.seconds)
            client.terminate()
            client.wait()
        return figures


def main() -> None:
    """Measure, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--devices", type=int, default=8)
    parser.add_argument("--interval-ms", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--source", help="a value of c.GpuPerf.source (default: replayed devices)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    bare = measure(options, ours=False)["unwatched_percent"]
    found = measure(options, ours=True)
    figures = {
        "bare_server_percent": round(bare, 3),
        **{f"added_{name}": round(value - bare, 3) for name, value in found.items()},
    }
    print(json.dumps(figures) if options.json else figures)


if __name__ == "__main__":
    main()
