"""Measure how much live clients slow the server's other requests: our clients, and optionally a peer's.

    python tests/perf/server_latency.py [--clients 8] [--devices 8] [--interval-ms 100] [--rounds 6] [--json]
    python tests/perf/server_latency.py --source nvml --peer    # on a GPU, with jupyterlab-nvdashboard installed

Rounds without and with clients alternate on one server (A B B A; a peer's clients run in the same round). The
clients have their own process. It prints p50 and p99 of GET /api/status in each state, and the median over the
rounds of the p99 ratio.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[2]
RECORDING = ROOT / "jupyter_gpuperf" / "recordings" / "h100_healthy_resnet50_bf16.jsonl.gz"


PEER_CHARTS = ("gpu_utilization", "gpu_usage", "gpu_resource", "pci_stats")
"""The peer has one socket per chart; one dashboard page opens several."""


async def be_clients(urls: list[str], token: str, count: int, first_words: str) -> None:
    """Read each socket with ``count`` clients until this process is terminated."""
    from tornado.httpclient import HTTPRequest
    from tornado.websocket import websocket_connect

    async def read(url: str) -> None:
        request = HTTPRequest(url, headers={"Authorization": f"token {token}"})
        client = await websocket_connect(request)
        if first_words:
            await client.write_message(first_words)
        while await client.read_message() is not None:
            pass

    tasks = [asyncio.create_task(read(url)) for url in urls for _ in range(count)]
    print("ready", flush=True)
    await asyncio.gather(*tasks)


def latencies_ms(url: str, token: str, requests: int) -> list[float]:
    """Return the latency of each of ``requests`` consecutive requests in milliseconds."""
    import http.client
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    found = []
    for _ in range(requests):
        began = time.perf_counter()
        connection.request("GET", parts.path, headers={"Authorization": f"token {token}"})
        connection.getresponse().read()
        found.append(1000 * (time.perf_counter() - began))
        time.sleep(0.005)
    connection.close()
    return found


def percentile(values: list[float], share: float) -> float:
    """Return the value below which a ``share`` (0 to 1) of the values is."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def measure(options: argparse.Namespace, base: str, token: str) -> dict[str, object]:
    """Run all rounds on a server, and return the summary."""
    status = f"{base}api/status"
    sockets = base.replace("http", "ws")
    ours = [f"{sockets}gpuperf/live?interval_ms={options.interval_ms}"]
    theirs = [f"{sockets}nvdashboard/{chart}" for chart in PEER_CHARTS]
    latencies_ms(status, token, 200)
    found: dict[str, list[list[float]]] = {"without": [], "with_clients": [], "with_peer": []}

    def quiet() -> None:
        found["without"].append(latencies_ms(status, token, options.requests))

    def busy(state: str, urls: list[str], first_words: str) -> None:
        clients = subprocess.Popen(
            [
                *(sys.executable, __file__, "--as-clients", json.dumps(urls)),
                *(token, str(options.clients), first_words),
            ],
            stdout=subprocess.PIPE,
        )
        assert clients.stdout is not None
        clients.stdout.readline()
        time.sleep(1)
        found[state].append(latencies_ms(status, token, options.requests))
        clients.terminate()
        clients.wait()
        clients.stdout.close()
        time.sleep(0.5)

    for _ in range(options.rounds):
        quiet()
        for _ in range(2):
            busy("with_clients", ours, "")
        if options.peer:
            wish = {"updateFrequency": options.interval_ms, "isPaused": False}
            busy("with_peer", theirs, json.dumps(wish))
            busy("with_peer", theirs, json.dumps(wish))
        quiet()
    return summary_of(found)


def summary_of(found: dict[str, list[list[float]]]) -> dict[str, object]:
    """Return each state's percentiles, and their ratios to the state without clients."""
    summary: dict[str, object] = {}
    for state, rounds in found.items():
        for share in (0.5, 0.99) if rounds else ():
            middle = statistics.median(percentile(each, share) for each in rounds)
            summary[f"{state}_p{round(100 * share)}_ms"] = round(middle, 3)
    for state in ("with_clients", "with_peer"):
        pairs = zip(found["without"], found[state], strict=False)
        ratios = [percentile(after, 0.99) / percentile(before, 0.99) for before, after in pairs]
        if ratios:
            summary[f"{state}_p99_ratio"] = round(statistics.median(ratios), 3)
            summary[f"{state}_p99_ratios"] = [round(ratio, 3) for ratio in ratios]
    return summary


def main() -> None:
    """Start a server, measure, and print the results."""
    if sys.argv[1:2] == ["--as-clients"]:
        urls, token, count, first_words = sys.argv[2:6]
        asyncio.run(be_clients(json.loads(urls), token, int(count), first_words))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--devices", type=int, default=8)
    parser.add_argument("--interval-ms", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--source", help="a value of c.GpuPerf.source (default: replayed devices)")
    parser.add_argument("--peer", action="store_true", help="also measure jupyterlab-nvdashboard")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    with tempfile.TemporaryDirectory() as home:
        folders = {f"JUPYTER_{kind}_DIR": str(Path(home) / kind) for kind in ("CONFIG", "RUNTIME")}
        source = options.source or f"replay:{','.join([str(RECORDING)] * options.devices)}"
        extensions = {"jupyter_gpuperf": True, "jupyterlab_nvdashboard": options.peer}
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root"),
                *(f"--port={port}", f"--IdentityProvider.token={token}"),
                *("--ServerApp.log_level=ERROR", f"--ServerApp.root_dir={home}"),
                f"--ServerApp.jpserver_extensions={extensions}",
            ],
            env={**os.environ, **folders, "JUPYTER_GPUPERF_SOURCE": source},
        )
        try:
            base = f"http://127.0.0.1:{port}/"
            wait_for(f"{base}gpuperf/latest", token)
            figures = measure(options, base, token)
        finally:
            server.terminate()
            server.wait()
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name}: {value}")


def wait_for(url: str, token: str) -> None:
    """Wait until the server answers."""
    request = urllib.request.Request(url, headers={"Authorization": f"token {token}"})
    for _ in range(1200):
        try:
            urllib.request.urlopen(request, timeout=5).read()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server did not start")


if __name__ == "__main__":
    main()
