"""Measure what pages that never read cost: memory of the server, and frames of the pages that do.

    python tests/perf/stalled_client.py [--minutes 60] [--readers 1] [--deaf 1] [--devices 8] [--interval-ms 100] [--json]

On one server with replayed devices, ``--deaf`` clients open the live socket and never read from it, and ``--readers``
clients do. All readers share a process of their own, which only splits the stream into messages. It prints the server's
resident memory after the first minute (or half of the time) and at the end; how many of the sampled frames the readers
missed (worst, median, and all those that missed more than 1 %); and how long after its sampling a frame arrived.
"""

from __future__ import annotations

import argparse
import json
import re
import selectors
import socket
import statistics
import struct
import subprocess
import sys
import time
from itertools import pairwise
from typing import Any

from server_process import ServerProcess, percentile, running_server

SETTLED_SECONDS = 60.0
"""After this time the history's columns, allocators and caches have their final size. The ring keeps growing for
``history_seconds``, so the script sets a shorter time."""
WARM_UP_SECONDS = 3.0
"""The first frames don't count: 64 pages that come at once get their history first."""
FRAME = re.compile(rb'\{"type":"frame","time_seconds":([0-9.]+)')


def connected(port: int, token: str, interval_ms: int, *, receive_bytes: int = 0) -> socket.socket:
    """Open a live socket; read only the handshake."""
    client = socket.socket()
    if receive_bytes:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    client.connect(("127.0.0.1", port))
    client.sendall(
        f"GET /gpuperf/live?interval_ms={interval_ms} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"Authorization: token {token}\r\n\r\n".encode()
    )
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += client.recv(1)
    assert answer.startswith(b"HTTP/1.1 101"), answer
    return client


class Reader:
    """One client: the times of the frames that it got, and how late they came."""

    def __init__(self, client: socket.socket) -> None:
        self.client = client
        self.counts_from = 0.0
        self.times: list[float] = []
        self.late: list[float] = []
        self._rest = bytearray()

    def read(self) -> bool:
        """Take what has arrived; return whether the socket is still open."""
        chunk = self.client.recv(1 << 20)
        now = time.time()
        self._rest += chunk
        while (size := _size(self._rest)) is not None and len(self._rest) >= sum(size):
            head, length = size
            found = FRAME.match(self._rest, head, head + min(length, 100))
            if found and (sampled_at := float(found[1])) > self.counts_from:
                self.times.append(sampled_at)
                self.late.append(now - sampled_at)
            elif self._rest[0] & 0x0F == 0x9:  # answer a ping, or Jupyter closes the socket
                self.client.sendall(b"\x8a\x80\0\0\0\0")
            del self._rest[: head + length]
        return bool(chunk)


def _size(buffer: bytearray) -> tuple[int, int] | None:
    """Return the length of a message's head and of its content; ``None`` if the head is incomplete."""
    if len(buffer) < 10:
        return None if len(buffer) < 2 or buffer[1] > 125 else (2, buffer[1])
    if buffer[1] == 126:
        return 4, struct.unpack_from("!H", buffer, 2)[0]
    return (10, struct.unpack_from("!Q", buffer, 2)[0]) if buffer[1] == 127 else (2, buffer[1])


def be_readers(port: int, token: str, interval_ms: int, count: int, seconds: float) -> None:
    """Read with ``count`` clients for some seconds, and print what each got."""
    selector = selectors.DefaultSelector()
    readers = [Reader(connected(port, token, interval_ms)) for _ in range(count)]
    counts_from = time.time() + WARM_UP_SECONDS
    for each in readers:
        each.counts_from = counts_from
        selector.register(each.client, selectors.EVENT_READ, each)
    ends_at = time.monotonic() + WARM_UP_SECONDS + seconds
    while time.monotonic() < ends_at:
        for key, _ in selector.select(1.0):
            if not key.data.read():
                selector.unregister(key.data.client)
    print(
        json.dumps(
            {"times": [each.times for each in readers], "late": [each.late for each in readers]}
        )
    )


def figures_of(found: dict[str, list[list[float]]], interval_ms: int) -> dict[str, Any]:
    """Return how many frames the readers missed, and how late the others came."""
    sampled = sorted({time for times in found["times"] for time in times})[:-10]
    first, last = sampled[0], sampled[-1]
    missed = [
        100 * (1 - sum(first <= each <= last for each in times) / len(sampled))
        for times in found["times"]
    ]
    late = [each for of_one in found["late"] for each in of_one]
    return {
        "sampled_frames": len(sampled),
        "sampled_percent_of_due": round(
            100 * (len(sampled) - 1) * interval_ms / 1000 / (last - first), 1
        ),
        "longest_gap_seconds": round(max(b - a for a, b in pairwise(sampled)), 3),
        "missed_percent_worst": round(max(missed), 2),
        "missed_percent_median": round(statistics.median(missed), 2),
        "readers_that_missed_1_percent": sum(each > 1 for each in missed),
        "late_p50_ms": round(1000 * percentile(late, 0.5), 1),
        "late_p99_ms": round(1000 * percentile(late, 0.99), 1),
        "late_max_ms": round(1000 * max(late), 1),
    }


def measure(server: ServerProcess, options: argparse.Namespace) -> dict[str, Any]:
    """Let some clients stall and others read; return memory and frames."""
    seconds = 60 * options.minutes
    where = (server.port, server.token, options.interval_ms)
    deaf = [connected(*where, receive_bytes=4096) for _ in range(options.deaf)]
    arguments = ["--as-readers", *map(str, (*where, options.readers, seconds))]
    readers = subprocess.Popen(
        [sys.executable, __file__, *arguments], stdout=subprocess.PIPE, text=True
    )
    time.sleep(min(SETTLED_SECONDS, seconds / 2))
    settled, busy = server.process.memory_info().rss, sum(server.process.cpu_times()[:2])
    began = time.monotonic()
    output, _ = readers.communicate()
    cpu = (sum(server.process.cpu_times()[:2]) - busy) / (time.monotonic() - began)
    at_end = server.process.memory_info().rss
    for each in deaf:
        each.close()
    return {
        "minutes": options.minutes,
        "readers": options.readers,
        "deaf": options.deaf,
        "resident_settled_mib": round(settled / 2**20, 1),
        "resident_at_end_mib": round(at_end / 2**20, 1),
        "server_percent_of_a_core": round(100 * cpu, 1),
        **figures_of(json.loads(output), options.interval_ms),
    }


def main() -> None:
    """Start a server, measure, and print the results."""
    if sys.argv[1:2] == ["--as-readers"]:
        port, token, interval_ms, count, seconds = sys.argv[2:]
        be_readers(int(port), token, int(interval_ms), int(count), float(seconds))
        return
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--readers", type=int, default=1)
    parser.add_argument("--deaf", type=int, default=1)
    parser.add_argument("--devices", type=int, default=8)
    parser.add_argument("--interval-ms", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    history = ["--GpuPerf.history_seconds=30"]
    with running_server(devices=options.devices, options=history) as server:
        figures = measure(server, options)
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name}: {value}")


if __name__ == "__main__":
    main()
