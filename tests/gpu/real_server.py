"""A real Jupyter server with the extension, and notebooks' kernels in it, for the tests on a GPU."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from jupyter_client.blocking.client import BlockingKernelClient

ROOT = Path(__file__).parents[2]


class Server:
    """A Jupyter server with the extension, as a user starts it.

    Parameters
    ----------
    source
        As ``JUPYTER_GPUPERF_SOURCE``; by default this machine's devices.
    """

    def __init__(self, home: Path, source: str | None = None) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url, self.token = f"http://127.0.0.1:{port}/", secrets.token_hex(16)
        self.runtime, self.log = home / "runtime", home / "log"
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
            "JUPYTER_RUNTIME_DIR": str(self.runtime),
            "JUPYTER_CONFIG_DIR": str(home / "config"),
            "IPYTHONDIR": str(home / "ipython"),
            "NCCL_NVLS_ENABLE": "0",  # NVLink multicast, for whatever is started from here
        }
        environment.pop("JUPYTER_GPUPERF_SOURCE", None)
        if source is not None:
            environment["JUPYTER_GPUPERF_SOURCE"] = source
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root"),
                    *(f"--port={port}", f"--IdentityProvider.token={self.token}"),
                    "--ServerApp.jpserver_extensions={'jupyter_gpuperf': True}",
                    f"--ServerApp.root_dir={home}",
                ],
                env=environment,
                stdout=log,
                stderr=log,
            )

    def fetch(self, path, body=None, method=None):
        """Return what a route answers, as bytes."""
        request = urllib.request.Request(
            self.url + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.read()

    def ask(self, path, body=None, method=None):
        """Return what a route answers."""
        return json.loads(self.fetch(path, body, method) or b"null")

    def run(self, benchmark, seconds=300, **parameters):
        """Run a benchmark; return its job."""
        job = self.ask("gpuperf/jobs", {"benchmark": benchmark, "parameters": parameters})
        end = time.monotonic() + seconds
        while job["state"] in ("queued", "running") and time.monotonic() < end:
            time.sleep(0.2)
            job = self.ask(f"gpuperf/jobs/{job['id']}")
        assert job["state"] == "done", (job["error"], job["log_tail"])
        return job


@contextlib.contextmanager
def serving(home, source=None):
    """A server that answers, until it is not needed any more."""
    server = Server(home, source)
    try:
        end = time.monotonic() + 300  # a busy machine takes minutes
        while True:
            try:
                server.ask("gpuperf/latest")
                break
            except (urllib.error.URLError, OSError):
                assert time.monotonic() < end, server.log.read_text()[-3000:]
                time.sleep(0.2)
        yield server
    finally:
        server.process.terminate()
        try:
            server.process.wait(20)
        except subprocess.TimeoutExpired:
            server.process.kill()
            server.process.wait()


def wait_until(condition, seconds=60):
    """Wait until it holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def is_ready(client):
    """Tell whether a kernel answers."""
    # A kernel that still loads misses its first heartbeats, which the client takes for death.
    with contextlib.suppress(RuntimeError):
        client.wait_for_ready(timeout=20)
        return True
    return False


def run_cell(client, code, seconds=180):
    """Return the text that a cell showed last."""
    request = client.execute(code)
    end = time.monotonic() + seconds
    shown = ""
    while time.monotonic() < end:
        with contextlib.suppress(queue.Empty):
            message = client.get_iopub_msg(timeout=5)
            content = message["content"]
            assert message["msg_type"] != "error", content
            if message["parent_header"].get("msg_id") == request:
                shown = content.get("data", {}).get("text/plain") or shown
                if content.get("execution_state") == "idle":
                    return shown
    return pytest.fail(f"{code} did not end")


@contextlib.contextmanager
def opened(server, path):
    """The kernel of a notebook, as the server starts it when one opens it: a client to it."""
    kernel = {"name": "python3"}
    session = server.ask(
        "api/sessions", {"path": path, "name": path, "type": "notebook", "kernel": kernel}
    )
    with client_of(server, session["kernel"]["id"]) as client:
        yield client
    server.ask(f"api/sessions/{session['id']}", method="DELETE")


@contextlib.contextmanager
def client_of(server, kernel):
    """A client to a kernel that answers."""
    client = BlockingKernelClient(connection_file=str(server.runtime / f"kernel-{kernel}.json"))
    client.load_connection_file()
    client.start_channels()
    wait_until(lambda: is_ready(client))
    try:
        yield client
    finally:
        client.stop_channels()


@contextlib.contextmanager
def notebook(server):
    """A kernel of the server with the magics, and a client to it."""
    kernel = server.ask("api/kernels", {"name": "python3"})["id"]
    try:
        with client_of(server, kernel) as client:
            run_cell(client, "%load_ext jupyter_gpuperf")
            yield kernel, client
    finally:
        server.ask(f"api/kernels/{kernel}", method="DELETE")
