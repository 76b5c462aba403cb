"""Measure what a client that never reads costs: server memory, and ticks of another client.

    python tests/perf/stalled_client.py [--minutes 60] [--devices 8] [--interval-ms 100] [--json]

On one server with replayed devices, one client opens the live socket and never reads from it; another client
reads. It prints the server's resident memory after the first minute and at the end, the expected and the received
number of frames of the reading client, and the longest gap between two frames.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import time
from itertools import pairwise
from typing import Any

import psutil
from server_process import running_server

SETTLED_SECONDS = 60.0
"""After this time the history's columns, allocators and caches have their final size. The ring keeps growing for
``history_seconds``, so the script sets a shorter time."""


def stall(port: int, token: str, interval_ms: int) -> socket.socket:
    """Open a live socket with a tiny receive buffer, and read only the handshake."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", port))
    client.sendall(
        f"GET /gpuperf/live?interval_ms={interval_ms} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"Authorization: token {token}\r\n\r\n".encode()
    )
    assert client.recv(12).startswith(b"HTTP/1.1 101")
    return client


async def read(port: int, token: str, interval_ms: int, seconds: float) -> dict[str, Any]:
    """Read the live socket for some seconds; return the number of frames and the longest gap."""
    from tornado.httpclient import HTTPRequest
    from tornado.websocket import websocket_connect

    url = f"ws://127.0.0.1:{port}/gpuperf/live?interval_ms={interval_ms}"
    client = await websocket_connect(HTTPRequest(url, headers={"Authorization": f"token {token}"}))
    times: list[float] = []
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        message = json.loads(await client.read_message())
        if message["type"] == "frame":
            times.append(message["time_seconds"])
    client.close()
    gaps = [after - before for before, after in pairwise(times)]
    return {
        "frames_expected": round((times[-1] - times[0]) * 1000 / interval_ms) + 1,
        "frames": len(times),
        "longest_gap_seconds": round(max(gaps), 3),
    }


async def measure(
    server: psutil.Process, port: int, token: str, options: argparse.Namespace
) -> dict[str, Any]:
    """Stall one client and read with another; return memory and frames."""
    stalled = stall(port, token, options.interval_ms)
    seconds = 60 * options.minutes
    reading = asyncio.create_task(read(port, token, options.interval_ms, seconds))
    await asyncio.sleep(min(SETTLED_SECONDS, seconds / 2))
    settled = server.memory_info().rss
    found = await reading
    at_end = server.memory_info().rss
    stalled.close()
    return {
        "minutes": options.minutes,
        "resident_settled_mib": round(settled / 2**20, 1),
        "resident_at_end_mib": round(at_end / 2**20, 1),
        **found,
    }


def main() -> None:
    """Start a server, measure, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--devices", type=int, default=8)
    parser.add_argument("--interval-ms", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    history = ["--GpuPerf.history_seconds=30"]
    with running_server(devices=options.devices, options=history) as server:
        figures = asyncio.run(measure(server.process, server.port, server.token, options))
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name}: {value}")


if __name__ == "__main__":
    main()
