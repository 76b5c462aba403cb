"""Start the demo's server headless, wait for the first frame and a benchmark's result, stop.

Standard library only. Exit code 0 when both came, 1 with the server's log when not.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

START_SECONDS = 60
JOB_SECONDS = 180
JOB = {
    "benchmark": "dataloader",
    "parameters": {"items": 64, "batch_size": 16, "workers": 1, "time_limit_seconds": 2},
}


class Server:
    """A headless Jupyter server with folders of its own."""

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
            )

    def ask(self, path: str, body: object = None) -> dict[str, Any]:
        """GET, or POST a body."""
        request = urllib.request.Request(
            self._url + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self._token}"},
        )
        with urllib.request.urlopen(request, timeout=15) as response:
            return json.load(response)

    def stop(self) -> None:
        """End the server and wait until it is gone."""
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def first_frame(server: Server) -> dict[str, Any]:
    """Wait for the first reading."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.process.poll() is None:
        try:
            return server.ask("latest")
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise TimeoutError(f"no frame within {START_SECONDS} s")


def result_of_job(server: Server) -> dict[str, Any]:
    """Run a small benchmark to its result."""
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


def main() -> int:
    """Check, and say what came."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        try:
            frame = first_frame(server)
            devices = server.ask("devices")
            names = [device["name"] for device in devices["devices"]] or devices["reason"][
                "message"
            ]
            print(f"first frame after {time.monotonic() - began:.1f} s: {names}")
            print(f"  readings: {json.dumps(next(iter(frame['devices'].values()), frame['host']))}")
            for name, figure in result_of_job(server)["figures"].items():
                print(
                    f"  {name}: {figure['value']:.4g} [{figure['low']:.4g}, {figure['high']:.4g}]"
                )
        except (TimeoutError, RuntimeError, urllib.error.URLError) as error:
            print(f"demo check failed: {error}\n{server.log.read_text()[-4000:]}", file=sys.stderr)
            return 1
        finally:
            server.stop()
    print(f"demo check passed after {time.monotonic() - began:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
