"""Measure what one kernel or one page that floods the server costs the others.

    python tests/perf/floods.py [--only cells,follow] [--seconds 10] [--devices 8] [--connections 1] [--json]

For each flood a server with replayed devices is started. One process sends messages as fast as the server takes them:
kernels' messages over the kernels' socket, a page's over the live socket. Meanwhile others use the server: requests
of ``GET api/status`` and ``GET gpuperf/history``, one page that reads ten frames a second, and one notebook that runs a
cell twice a second. It prints their latencies and missed frames, what the flood sent, and the server's memory before
the flood, at its end, and ten seconds later.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from server_process import ServerProcess, percentile, running_server
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import websocket_connect

PATIENCE_SECONDS = 100.0
SETTLED_SECONDS = 10.0


def cell(number: int, *, devices: int = 1) -> bytes:
    """Return the report of a kernel that a cell has ended."""
    now = time.time()
    message = {"type": "cell", "kernel_id": "k", "notebook_path": "a.ipynb", "number": number}
    span = {"began_seconds": now - 1, "ended_seconds": now}
    uuids = [f"GPU-{each}" for each in range(devices)]
    return json.dumps({**message, **span, "device_uuids": uuids}).encode() + b"\n"


def run(number: int) -> bytes:
    """Return a request to run a benchmark, and one to cancel it."""
    return b'{"type": "run", "benchmark": "dataloader"}\n{"type": "cancel"}\n'


def report(number: int) -> bytes:
    """Return a kernel's report about a job of its own."""
    job = {
        "id": "a",
        "benchmark": "compute",
        "parameters": {},
        "kernel_name": None,
        "device": None,
        "state": "running",
        "progress_ratio": 0.5,
        "progress_message": "x",
        "created_seconds": 1.0,
        "started_seconds": 1.0,
        "ended_seconds": None,
        "result": None,
        "error": None,
        "log_tail": "",
    }
    return json.dumps({"type": "told", "job": job}).encode() + b"\n"


def steps(number: int) -> bytes:
    """Return a kernel's report about a step, with a bin of its own."""
    loader = {"id": 1, "name": "loader"}
    tally = {
        "loader": 1,
        "began_seconds": time.time(),
        "ended_seconds": time.time(),
        "count": 1,
        "training_count": 1,
        "nested_count": 0,
        "samples_count": 1.0,
        "step_seconds": 0.1,
        "wait_seconds": 0.1,
        "event_step_seconds": 0.0,
        "event_idle_seconds": 0.0,
        "epoch_batches": 1,
        "bins": {str(number): 1},
    }
    message = {"type": "steps", "kernel_id": "k", "notebook_path": None}
    return json.dumps({**message, "loaders": [loader], "tallies": [tally]}).encode() + b"\n"


KERNEL_FLOODS: dict[str, Callable[[int], bytes]] = {
    "cells": cell,
    "cells-of-many-devices": lambda number: cell(number, devices=4000),
    "runs": run,
    "reports": report,
    "steps": steps,
    "empty-lines": lambda number: b"\n" * 4096,
}
FOLLOW = '{"type": "follow", "topics": %s}'
ALL = FOLLOW % '["jobs", "suites", "recordings"]'
PAGE_FLOODS: dict[str, list[str]] = {
    "follow": [ALL, FOLLOW % "[]"],
    "intervals": ['{"interval_ms": 100}', '{"interval_ms": 60000}'],
    "not-json": ["["],
    "odd": [
        "[" * 5000,
        '{"type":' * 2000 + "1" + "}" * 2000,
        '{"interval_ms": %s}' % ("9" * 5000),
        '{"interval_ms": 1e999}',
        '{"interval_ms": null, "type": []}',
        '{"type": "follow", "topics": ["\\ud800", "jobs"]}',
        '{"type": "follow", "topics": {"jobs": 1}}',
        '{"type": "%s"}' % ("x" * 50_000),
        "",
        "\0" * 100,
    ],
    "huge": ['{"type": "follow", "topics": [' + '"x",' * 2_000_000 + '"x"]}'],
}
CONNECTING = ("kernels-that-come-and-go", "pages-that-come-and-go")


async def be_kernel(path: str, kind: str, ends_at: float) -> int:
    """Send a kernel's messages as fast as the server takes them; return their number."""
    reader, writer = await asyncio.open_unix_connection(path)
    sent = 0

    async def read() -> None:
        while await reader.read(1 << 16):
            pass

    reading = asyncio.create_task(read())
    while time.monotonic() < ends_at:
        try:
            writer.write(KERNEL_FLOODS[kind](sent))
            await asyncio.wait_for(writer.drain(), ends_at - time.monotonic())
        except (OSError, asyncio.TimeoutError):
            break
        sent += 1
    reading.cancel()
    writer.close()
    return sent


async def be_page(url: str, token: str, kind: str, ends_at: float) -> int:
    """Send a page's messages as fast as the server takes them, without reading; return their number."""
    sent = 0
    while time.monotonic() < ends_at:
        client = await connected(url, token)
        try:
            while time.monotonic() < ends_at:
                for message in PAGE_FLOODS[kind]:
                    left = ends_at - time.monotonic()
                    await asyncio.wait_for(client.write_message(message), max(left, 0.01))
                    sent += 1
        except Exception:  # noqa: BLE001  (the server may close it in any way)
            client.close()
            await asyncio.sleep(0.01)
    return sent


async def come_and_go(path: str, url: str, token: str, kind: str, ends_at: float) -> int:
    """Connect again and again; return how often."""
    count = 0
    kept = []
    while time.monotonic() < ends_at:
        with contextlib.suppress(Exception):  # the server may refuse it in any way
            if kind.startswith("kernels"):
                _, writer = await asyncio.open_unix_connection(path)
                writer.write(cell(count))
                kept.append(writer)
                if len(kept) > 200:
                    kept.pop(0).close()
            else:
                client = await connected(url, token)
                await client.read_message()
                client.close()
            count += 1
    return count


async def connected(url: str, token: str) -> Any:
    """Open a live socket."""
    request = HTTPRequest(url, headers={"Authorization": f"token {token}"})
    return await websocket_connect(request)


async def flood(path: str, url: str, token: str, kind: str, seconds: float, count: int) -> None:
    """Flood the server over ``count`` connections, and print the number of messages."""
    ends_at = time.monotonic() + seconds
    if kind in CONNECTING:
        sent = await come_and_go(path, url, token, kind, ends_at)
    elif kind in KERNEL_FLOODS:
        sent = sum(await asyncio.gather(*(be_kernel(path, kind, ends_at) for _ in range(count))))
    else:
        sent = sum(
            await asyncio.gather(*(be_page(url, token, kind, ends_at) for _ in range(count)))
        )
    print(sent, flush=True)


class Bystanders:
    """Others who use the server meanwhile, and what they see."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._client = AsyncHTTPClient(force_instance=True)
        self.latencies: dict[str, list[float]] = {"status": [], "history": [], "footprint": []}
        self.failures: list[str] = []
        self.frames: list[float] = []
        self.over = False

    async def request(self, name: str, path: str) -> None:
        """Request a path again and again."""
        while not self.over:
            began = time.perf_counter()
            url = self._server.base + path
            try:
                await self._client.fetch(
                    url, headers=self._server.headers, request_timeout=PATIENCE_SECONDS
                )
            except Exception as error:  # noqa: BLE001  (whatever it is, a bystander was harmed)
                self.failures.append(f"{name}: {error}")
            self.latencies[name].append(time.perf_counter() - began)
            await asyncio.sleep(0.02)

    async def read_frames(self) -> None:
        """Read ten frames a second."""
        url = self._server.base.replace("http", "ws") + "gpuperf/live?interval_ms=100"
        client = await connected(url, self._server.token)
        while not self.over:
            message = json.loads(await client.read_message())
            if message["type"] == "frame":
                self.frames.append(message["time_seconds"])
        client.close()

    async def run_cells(self, path: str) -> None:
        """Run a cell twice a second, and wait for its footprint."""
        reader, writer = await asyncio.open_unix_connection(path)
        number = 0
        while not self.over:
            number += 1
            began = time.perf_counter()
            writer.write(cell(number).replace(b'"k"', b'"own"'))
            try:
                await asyncio.wait_for(reader.readline(), PATIENCE_SECONDS)
            except asyncio.TimeoutError:
                self.failures.append("footprint: none")
            self.latencies["footprint"].append(time.perf_counter() - began)
            await asyncio.sleep(0.5)
        writer.close()

    def figures(self) -> dict[str, float | int | list[str]]:
        """Return what they saw."""
        span = self.frames[-1] - self.frames[0] if self.frames else 0.0
        found: dict[str, Any] = {
            f"{name}_{label}_ms": round(1000 * percentile(values, share), 1)
            for name, values in self.latencies.items()
            if values
            for label, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))
        }
        found["frames_missed_percent"] = round(100 * (1 - (len(self.frames) - 1) / (10 * span)), 1)
        found["failures"] = self.failures[:3]
        return found


@contextlib.contextmanager
def flooding(server: ServerProcess, kind: str, options: argparse.Namespace) -> Iterator[Any]:
    """Run the process that floods while the block runs."""
    live = server.base.replace("http", "ws") + "gpuperf/live?interval_ms=100"
    arguments = [socket_of(server), live, server.token, kind, options.seconds, options.connections]
    process = subprocess.Popen(
        [sys.executable, __file__, "--as-flood", *map(str, arguments)], stdout=subprocess.PIPE
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def socket_of(server: ServerProcess) -> str:
    """Return the path of the socket for kernels."""
    file = server.runtime / f"gpuperf-{server.process.pid}.json"
    return str(json.loads(file.read_bytes())["socket"])


async def measure(server: ServerProcess, kind: str, options: argparse.Namespace) -> dict[str, Any]:
    """Flood a server, and return what the bystanders saw."""
    bystanders = Bystanders(server)
    # Whoever is there before the flood; all of them go on until the end.
    tasks = [
        asyncio.create_task(each)
        for each in (
            bystanders.request("status", "api/status"),
            bystanders.request("history", "gpuperf/history?seconds=60&metrics=power_watts"),
            bystanders.read_frames(),
            bystanders.run_cells(socket_of(server)),
        )
    ]
    await asyncio.sleep(3.0)
    bystanders.latencies = {name: [] for name in bystanders.latencies}
    bystanders.frames.clear()
    before = server.process.memory_info().rss
    loop = asyncio.get_running_loop()
    with flooding(server, kind, options) as process:
        sent = int(await loop.run_in_executor(None, process.stdout.readline) or 0)
    at_end = server.process.memory_info().rss
    bystanders.over = True
    began = time.perf_counter()
    _, late = await asyncio.wait(tasks, timeout=PATIENCE_SECONDS)
    for each in late:
        each.cancel()
    quiet_after = time.perf_counter() - began
    await asyncio.sleep(SETTLED_SECONDS)
    return {
        "flood": kind,
        "messages": sent,
        **bystanders.figures(),
        "answered_after_seconds": round(quiet_after, 1),
        "resident_before_mib": round(before / 2**20),
        "resident_at_end_mib": round(at_end / 2**20),
        "resident_later_mib": round(server.process.memory_info().rss / 2**20),
        "threads": server.process.num_threads(),
        "descriptors": server.process.num_fds(),
    }


def main() -> None:
    """Measure each flood on a server of its own, and print the results."""
    if sys.argv[1:2] == ["--as-flood"]:
        path, url, token, kind, seconds, count = sys.argv[2:]
        asyncio.run(flood(path, url, token, kind, float(seconds), int(count)))
        return
    kinds = [*KERNEL_FLOODS, *PAGE_FLOODS, *CONNECTING]
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default=",".join(kinds), help="which floods")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--devices", type=int, default=8)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = []
    for kind in options.only.split(","):
        with running_server(devices=options.devices) as server:
            found.append(asyncio.run(measure(server, kind, options)))
        print(json.dumps(found[-1], indent=1), flush=True)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
