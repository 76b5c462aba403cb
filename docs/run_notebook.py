"""Runs a notebook's cells in a real Jupyter server that has the extension, and writes what they answered into it.

    python docs/run_notebook.py docs/walkthrough.ipynb [--record FILE] [--pause SECONDS]

As a user would have it: the kernel is the server's own, so the step clock tells the server, and with ``--record`` the
recording holds the devices, the processes and the notebook's training. Needs jupyter_server and ipykernel; no JupyterLab.
``--pause`` waits before each cell, so that a reader of the recording can tell them apart.
"""

from __future__ import annotations

import argparse
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

import nbformat
from jupyter_client.blocking.client import BlockingKernelClient
from typing_extensions import Self

ROOT = Path(__file__).parents[1]
START_SECONDS = 60.0
CELL_SECONDS = 300.0
LONGEST_OUTPUT_CHARACTERS = 100_000


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--record", type=Path, metavar="FILE")
    parser.add_argument("--pause", type=float, default=0.0, metavar="SECONDS")
    options = parser.parse_args()
    notebook = nbformat.read(options.notebook, as_version=4)
    with tempfile.TemporaryDirectory() as home, Server(Path(home)) as server:
        recording = server.ask("gpuperf/recordings", {}) if options.record else None
        kernel = server.kernel(options.notebook.name)
        try:
            for cell in notebook.cells:
                if cell.cell_type == "code":
                    time.sleep(options.pause)
                    run_cell(kernel, cell)
        finally:
            if recording is not None:
                server.ask(f"gpuperf/recordings/{recording['id']}", method="DELETE")
                options.record.write_bytes(server.fetch(f"gpuperf/recordings/{recording['id']}"))
            nbformat.write(notebook, options.notebook)


def run_cell(kernel: BlockingKernelClient, cell: nbformat.NotebookNode) -> None:
    """Run one cell and keep its outputs, the last state of each; a cell that raises ends it all."""
    cell.outputs, shown = [], {}
    print(f"--- {cell.source.partition(chr(10))[0]}", flush=True)

    def heard(message: dict[str, Any]) -> None:
        kind, content = message["header"]["msg_type"], message["content"]
        if kind == "update_display_data":
            for output in shown.get(content["transient"]["display_id"], ()):
                output.data, output.metadata = content["data"], content["metadata"]
        elif kind == "clear_output":
            cell.outputs.clear()
        elif kind in ("stream", "display_data", "execute_result", "error"):
            keep(cell, nbformat.v4.output_from_msg(message), shown, content)

    answer = kernel.execute_interactive(
        cell.source, output_hook=heard, timeout=CELL_SECONDS, allow_stdin=False
    )
    cell.execution_count = answer["content"].get("execution_count")
    for output in cell.outputs:
        print(*text_of(output).splitlines()[:40], sep="\n", flush=True)
    if answer["content"]["status"] != "ok":
        sys.exit(f"This cell failed:\n{cell.source}")


def keep(
    cell: nbformat.NotebookNode,
    output: nbformat.NotebookNode,
    shown: dict[str, list[nbformat.NotebookNode]],
    content: dict[str, Any],
) -> None:
    """Add an output to a cell's; text that goes on is one output."""
    last = cell.outputs[-1] if cell.outputs else None
    if output.output_type == "stream" and last is not None and last.get("name") == output.name:
        last.text = (last.text + output.text)[-LONGEST_OUTPUT_CHARACTERS:]
        return
    cell.outputs.append(output)
    if name := content.get("transient", {}).get("display_id"):
        shown.setdefault(name, []).append(output)


def text_of(output: nbformat.NotebookNode) -> str:
    """Return an output as text."""
    if output.output_type == "stream":
        return str(output.text)
    if output.output_type == "error":
        return "\n".join(output.traceback)
    return str(output.data.get("text/plain", ""))


class Server:
    """A Jupyter server with the extension, below a folder of its own."""

    def __init__(self, home: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url, self.token = f"http://127.0.0.1:{self.port}/", secrets.token_hex(16)
        self.home = home
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
            "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
            "JUPYTER_CONFIG_DIR": str(home / "config"),
            "IPYTHONDIR": str(home / "ipython"),
        }

    def __enter__(self) -> Self:
        with (self.home / "log").open("w") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root"),
                    *(f"--port={self.port}", f"--IdentityProvider.token={self.token}"),
                    "--ServerApp.jpserver_extensions={'jupyter_gpuperf': True}",
                    f"--ServerApp.root_dir={self.home}",
                ],
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        ends_at = time.monotonic() + START_SECONDS
        while True:
            try:
                self.ask("gpuperf/latest")
            except (urllib.error.URLError, OSError):
                if time.monotonic() > ends_at or self.process.poll() is not None:
                    self.process.kill()
                    sys.exit((self.home / "log").read_text()[-3000:])
                time.sleep(0.2)
            else:
                return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(30)

    def fetch(self, path: str, body: object = None, method: str | None = None) -> bytes:
        """Return what the server answers."""
        request = urllib.request.Request(
            self.url + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            answer: bytes = response.read()
        return answer

    def ask(self, path: str, body: object = None, method: str | None = None) -> dict[str, Any]:
        """Return what the server answers, decoded."""
        answer: dict[str, Any] = json.loads(self.fetch(path, body, method) or b"{}")
        return answer

    def kernel(self, name: str) -> BlockingKernelClient:
        """Start the kernel of a notebook and return a client of it."""
        session = self.ask(
            "api/sessions",
            {"path": name, "name": name, "type": "notebook", "kernel": {"name": "python3"}},
        )
        file = self.home / "runtime" / f"kernel-{session['kernel']['id']}.json"
        client = BlockingKernelClient(connection_file=str(file))
        client.load_connection_file()
        client.start_channels()
        ends_at = time.monotonic() + START_SECONDS
        while True:
            try:
                client.wait_for_ready(timeout=START_SECONDS)
            except RuntimeError:  # its heart does not beat yet, which counts as dead
                if time.monotonic() > ends_at:
                    raise
                time.sleep(0.5)
            else:
                return client


if __name__ == "__main__":
    main()
