"""Start the demo's server headless, wait for the first frame and a benchmark's result, then stop it.

The exit code is 0 if both arrived; otherwise it is 1, with the server's log.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from jupyter_gpuperf.config import SOURCE_VARIABLE
from jupyter_gpuperf.demo import demo_source

START_SECONDS = 60
JOB_SECONDS = 180
JOB = {
    "benchmark": "dataloader",
    "parameters": {"items": 64, "batch_size": 16, "workers": 0, "time_limit_seconds": 2},
}


class Server:
    """A headless Jupyter server with its own folders."""

    def __init__(self, home: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._token = secrets.token_hex(16)
        self._url = f"http://127.0.0.1:{port}/gpuperf/"
        self.log = home / "server.log"
        folders = {name: str(home / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
        environment = {f"JUPYTER_{name}_DIR": folder for name, folder in folders.items()}
        options = (
            "--no-browser",
            "--allow-root",
            f"--port={port}",
            f"--IdentityProvider.token={self._token}",
            f"--ServerApp.root_dir={home}",
        )
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyterlab", *options],
                env={**os.environ, **environment},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def ask(self, path: str, body: object = None) -> dict[str, Any]:
        """Send a GET, or a POST if there is a body."""
        request = urllib.request.Request(
            self._url + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self._token}"},
        )
        # Never through a proxy: the server runs on this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=15) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{path}: {error}: {error.read().decode()[:500]}") from error

    def stop(self) -> None:
        """Stop the server and its remaining processes, and wait until they are gone."""
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            print("the server did not stop within 15 s; killed", file=sys.stderr)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def first_frame(server: Server) -> dict[str, Any]:
    """Wait for the first reading."""
    end = time.monotonic() + START_SECONDS
    last: Exception | None = None
    while time.monotonic() < end:
        if server.process.poll() is not None:
            raise RuntimeError(f"the server ended with {server.process.returncode}")
        try:
            return server.ask("latest")
        except (RuntimeError, OSError) as error:  # still starting
            last = error
            time.sleep(0.2)
    raise TimeoutError(f"no frame within {START_SECONDS} s: {last}")


def result_of_job(server: Server) -> dict[str, Any]:
    """Run a small benchmark and return its result."""
    job = server.ask("jobs", JOB)
    end = time.monotonic() + JOB_SECONDS
    while job["state"] in ("queued", "running"):
        if time.monotonic() > end:
            raise TimeoutError(f"no result within {JOB_SECONDS} s")
        time.sleep(0.2)
        job = server.ask(f"jobs/{job['id']}")
    if job["state"] != "done":
        raise RuntimeError(f"the benchmark {job['state']}: {job['error']} {job['log_tail']}")
    return job["result"]


def check(server: Server) -> None:
    """Wait for a frame and a result, and print them."""
    began = time.monotonic()
    frame = first_frame(server)
    print(f"first frame after {time.monotonic() - began:.1f} s")
    devices = server.ask("devices")
    for device in devices["devices"]:
        replayed = "replayed" if device["replayed"] else "live"
        print(f"  {device['name']} ({replayed}): {describe(frame['devices'][device['uuid']])}")
    if devices["reason"]:
        print(f"  no device: {devices['reason']['message']}")
    print(f"  host: {describe(frame['host'])}")
    result = result_of_job(server)
    print(f"{result['benchmark']} after {time.monotonic() - began:.1f} s")
    for name, figure in result["figures"].items():
        print(f"  {name}: {figure['value']:.4g} [{figure['low']:.4g}, {figure['high']:.4g}]")


def describe(readings: dict[str, float | str]) -> str:
    """Return the first few readings that have a value."""
    values = {name: value for name, value in readings.items() if not isinstance(value, str)}
    return ", ".join(f"{name} {value:.6g}" for name, value in list(values.items())[:5])


def main() -> int:
    """Run the check and print its outcome."""
    source = os.environ.setdefault(SOURCE_VARIABLE, demo_source())
    print(f"Source: {source}")
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        try:
            check(server)
        except (RuntimeError, OSError) as error:  # a refusal, a timeout, no answer
            log = server.log.read_text(errors="replace")[-4000:]
            print(f"demo check FAILED: {error}\n--- the server's log\n{log}", file=sys.stderr)
            return 1
        finally:
            server.stop()
    print("demo check passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
