"""Measure whether a server's memory stops growing: 24 hours with a compressed clock, without and with a client.

    python tests/perf/idle_memory.py [--hours 24] [--devices 1] [--client] [--training] [--untraced] [--json]

A real server runs with the extension, but its clocks jump from tick to tick as fast as the ticks can be processed: every
5 s without a client, and every second with one (change it with ``--tick-seconds``). With ``--client``, another process
reads the live socket. With ``--training``, a notebook reports steps and cells. For each hour it prints the server's
resident memory, what Python allocated (``tracemalloc``, which itself takes memory; ``--untraced`` leaves it out), and
the number of Python objects.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
from pathlib import Path
from typing import Any

import psutil
from server_process import RECORDING, wait_for

OPTIONS = "GPUPERF_IDLE_MEMORY"
HOUR_SECONDS = 3600.0
CHECK_SECONDS = 30.0
"""Time between two diagnoses. The product checks every two seconds; that would take most of the script's time."""


class JumpingClock:
    """A clock that stands until it is advanced."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._began = time.time()

    def monotonic(self) -> float:
        """Return the seconds since the start."""
        return self.seconds

    def wall(self) -> float:
        """Return the Unix time."""
        return self._began + self.seconds


def _load_jupyter_server_extension(server: Any) -> None:
    """Give the extension a jumping clock, and start to advance it; Jupyter calls this in the server's process."""
    from jupyter_gpuperf.wiring import Parts

    options = argparse.Namespace(**json.loads(os.environ[OPTIONS]))
    if not options.untraced:
        tracemalloc.start()
    (app,) = server.extension_manager.extension_apps["jupyter_gpuperf"]
    clock = JumpingClock()
    app.parts = Parts(app, server, wall_clock=clock.wall, monotonic=clock.monotonic)
    loop = asyncio.get_event_loop()
    threading.Thread(target=advance, args=(app.parts, clock, options, loop), daemon=True).start()


def advance(parts: Any, clock: JumpingClock, options: Any, loop: asyncio.AbstractEventLoop) -> None:
    """Tick by tick, read the devices, report steps, and diagnose; print the memory of each hour."""
    while not (
        parts.subscribers.shortest_interval_ms() if options.client else parts.sampler.latest
    ):
        time.sleep(0.1)
    training = parts.services.training
    if options.training:
        training.add_connection("notebook", os.getpid(), lambda message: None)
    hour, began = 0, time.monotonic()
    report(0, began, options)
    while hour < options.hours:
        clock.seconds += options.tick_seconds
        if not parts.sampler.wait_for_tick(60):
            raise RuntimeError("no tick")
        if options.training:
            report_steps(training, clock, options.tick_seconds)
        if clock.seconds % CHECK_SECONDS < options.tick_seconds:
            asyncio.run_coroutine_threadsafe(parts.diagnosis.check(), loop).result()
        if clock.seconds >= (hour + 1) * HOUR_SECONDS:
            hour += 1
            report(hour, began, options)
    print("ended", flush=True)


def report_steps(training: Any, clock: JumpingClock, seconds: float) -> None:
    """Report the steps of one tick, and a cell each minute."""
    from jupyter_gpuperf.schemas.cells import CellRan
    from jupyter_gpuperf.schemas.training import Steps, StepTally, WatchedLoop

    now, notebook = clock.wall(), {"kernel_id": "notebook", "notebook_path": "a.ipynb"}
    count = int(10 * seconds)
    tally = StepTally(
        loader=1,
        began_seconds=now - seconds,
        ended_seconds=now,
        count=count,
        training_count=count,
        interrupted_count=0,
        samples_count=64.0 * count,
        step_seconds=seconds,
        wait_seconds=seconds / 3,
        event_step_seconds=0.0,
        event_idle_seconds=0.0,
        epoch_batches=count,
        bins={3: count},
    )
    loader = WatchedLoop(id=1, name="loader", batch_size=64)
    training.store_steps(
        "notebook", os.getpid(), Steps(**notebook, loaders=[loader], tallies=[tally])
    )
    if now % 60 < seconds:
        cell = CellRan(
            **notebook, number=1, began_seconds=now - 5, ended_seconds=now, device_uuids=[]
        )
        training.cell_ran("notebook", cell)


def report(hour: int, began: float, options: Any) -> None:
    """Print the memory of this process."""
    gc.collect()
    print(
        json.dumps(
            {
                "hour": hour,
                "resident_mib": round(psutil.Process().memory_info().rss / 2**20, 1),
                "python_mib": None
                if options.untraced
                else round(tracemalloc.get_traced_memory()[0] / 2**20, 2),
                "objects": len(gc.get_objects()),
                "real_seconds": round(time.monotonic() - began),
            }
        ),
        flush=True,
    )


def main() -> None:
    """Start a server and a client, and print what the server reports."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--devices", type=int, default=1)
    parser.add_argument("--tick-seconds", type=float)
    for name in ("client", "training", "untraced", "json"):
        parser.add_argument(f"--{name}", action="store_true")
    options = parser.parse_args()
    options.tick_seconds = options.tick_seconds or (1.0 if options.client else 5.0)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    folder = Path(__file__).parent
    with tempfile.TemporaryDirectory() as home:
        folders = {f"JUPYTER_{kind}_DIR": str(Path(home) / kind) for kind in ("CONFIG", "RUNTIME")}
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root"),
                *(f"--port={port}", f"--IdentityProvider.token={token}"),
                *("--ServerApp.log_level=ERROR", f"--ServerApp.root_dir={home}"),
                "--ServerApp.jpserver_extensions={'jupyter_gpuperf': True, 'idle_memory': True}",
            ],
            env={
                **os.environ,
                **folders,
                OPTIONS: json.dumps(vars(options)),
                "PYTHONPATH": os.pathsep.join(
                    [str(folder), str(folder.parents[1]), os.environ.get("PYTHONPATH", "")]
                ),
                "JUPYTER_GPUPERF_SOURCE": f"replay:{','.join([str(RECORDING)] * options.devices)}",
            },
            stdout=subprocess.PIPE,
            text=True,
        )
        client = None
        try:
            wait_for(f"http://127.0.0.1:{port}/gpuperf/version", token)
            if options.client:
                url = f"ws://127.0.0.1:{port}/gpuperf/live?interval_ms={1000 * options.tick_seconds:.0f}"
                script = str(folder / "server_latency.py")
                client = subprocess.Popen(
                    [sys.executable, script, "--as-clients", json.dumps([url]), token, "1", ""],
                    stdout=subprocess.DEVNULL,
                )
            show(server, as_json=options.json)
        finally:
            for each in filter(None, (client, server)):
                each.terminate()
                each.wait()


def show(server: subprocess.Popen[str], *, as_json: bool) -> None:
    """Print each hour's figures, and by how much they grew within it."""
    before: dict[str, float] = {}
    assert server.stdout is not None
    for line in server.stdout:
        if line.startswith("ended"):
            return
        figures = json.loads(line)
        grown = {
            name: round(value - before[name], 2)
            for name, value in figures.items()
            if name in before and value is not None and name not in ("hour", "real_seconds")
        }
        before = figures
        print(json.dumps({**figures, "grown": grown}) if as_json else (figures, grown), flush=True)


if __name__ == "__main__":
    main()
