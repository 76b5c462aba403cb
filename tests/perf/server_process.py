"""A Jupyter server in a process of its own, on replayed devices: what the scripts that measure one share."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
RECORDING = ROOT / "jupyter_gpuperf" / "recordings" / "h100_healthy_resnet50_bf16.jsonl.gz"

STARTING_SECONDS, STOPPING_SECONDS = 120.0, 30.0


@dataclass(frozen=True)
class ServerProcess:
    """A running server: its address, its token, its process and Jupyter's runtime folder."""

    port: int
    token: str
    process: psutil.Process
    runtime: Path

    @property
    def base(self) -> str:
        """The address, with a slash at the end."""
        return f"http://127.0.0.1:{self.port}/"

    @property
    def headers(self) -> dict[str, str]:
        """What a request needs to be let in."""
        return {"Authorization": f"token {self.token}"}


@contextmanager
def running_server(
    *,
    devices: int = 8,
    source: str | None = None,
    extensions: Mapping[str, bool] | None = None,
    options: Sequence[str] = (),
    first: str = "gpuperf/latest",
) -> Iterator[ServerProcess]:
    """Run a server until the block ends.

    ``source`` is a value of ``c.GpuPerf.source`` (default: replayed devices), and ``first`` what must answer before
    the block begins.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    source = source or f"replay:{','.join([str(RECORDING)] * devices)}"
    with tempfile.TemporaryDirectory() as home:
        folders = {f"JUPYTER_{kind}_DIR": str(Path(home) / kind) for kind in ("CONFIG", "RUNTIME")}
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root"),
                *(f"--port={port}", f"--IdentityProvider.token={token}"),
                *("--ServerApp.log_level=ERROR", f"--ServerApp.root_dir={home}"),
                f"--ServerApp.jpserver_extensions={dict(extensions or {'jupyter_gpuperf': True})}",
                *options,
            ],
            env={**os.environ, **folders, "JUPYTER_GPUPERF_SOURCE": source},
        )
        running = ServerProcess(
            port, token, psutil.Process(server.pid), Path(folders["JUPYTER_RUNTIME_DIR"])
        )
        try:
            wait_for(running.base + first, token)
            yield running
        finally:
            server.terminate()
            try:
                server.wait(STOPPING_SECONDS)
            except subprocess.TimeoutExpired:
                print(f"The server did not stop within {STOPPING_SECONDS:.0f} s.", file=sys.stderr)
                server.kill()
                server.wait()


def wait_for(url: str, token: str) -> None:
    """Wait until the server answers."""
    request = urllib.request.Request(url, headers={"Authorization": f"token {token}"})
    ends_at = time.monotonic() + STARTING_SECONDS
    while time.monotonic() < ends_at:
        try:
            urllib.request.urlopen(request, timeout=5).read()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("The server did not start.")


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which a ``share`` (0 to 1) of the values is."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]
