"""Fixtures: a real JupyterLab in a real browser, on replayed H100s."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from real_browser import (  # noqa: F401  (fixtures and a hook)
    browser,
    jp_asyncio_loop,
    jp_server_cleanup,
    open_page,
    pytest_runtest_makereport,
)

START_SECONDS = 60
ANSWER_SECONDS = 30


@dataclass(frozen=True)
class Server:
    """A running Jupyter server."""

    url: str
    token: str
    folder: Path
    process: subprocess.Popen

    def page(self, path: str = "lab") -> str:
        """Return the URL of a page, with the token."""
        return f"{self.url}{path}?token={self.token}"

    def get(self, path: str) -> dict:
        """Send a GET to the REST API."""
        request = urllib.request.Request(
            f"{self.url}{path}", headers={"Authorization": f"token {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.load(response)

    def end_kernels(self) -> None:
        """End all kernels of the server's notebooks."""
        for session in self.get("api/sessions"):
            request = urllib.request.Request(
                f"{self.url}api/sessions/{session['id']}",
                headers={"Authorization": f"token {self.token}"},
                method="DELETE",
            )
            urllib.request.urlopen(request, timeout=30).close()

    def ask_until(self, path: str, wanted: Callable[[dict], object]) -> dict:
        """Repeat a GET until the answer satisfies a condition."""
        end = time.monotonic() + ANSWER_SECONDS
        while not wanted(answer := self.get(path)):
            assert time.monotonic() < end, answer
            time.sleep(0.1)
        return answer


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def start_server(tmp_path_factory) -> Iterator[Callable[..., Server]]:
    """Start servers, below a base URL as behind a hub; each stops after its module's tests."""
    started: list[Server] = []

    def start(
        source: str,
        *,
        app: str = "jupyterlab",
        port: int | None = None,
        token: str | None = None,
        base_url: str = "/user/u1/",
        options: Sequence[str] = (),
        modules: Path | None = None,
        lab_settings: dict[str, dict] | None = None,
    ) -> Server:
        home = tmp_path_factory.mktemp("home")
        folder = home / "work"
        folder.mkdir()
        settings = home / "config" / "labconfig"
        settings.mkdir(parents=True)
        # The news pop-up would access the network and cover the page.
        disabled = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
        (settings / "page_config.json").write_text(json.dumps(disabled))
        for plugin, values in (lab_settings or {}).items():
            file = home / "lab-settings" / f"{plugin.replace(':', '/')}.jupyterlab-settings"
            file.parent.mkdir(parents=True)
            file.write_text(json.dumps(values))
        port, token = port or free_port(), token or secrets.token_hex(16)
        environment = {
            **os.environ,
            "JUPYTER_GPUPERF_SOURCE": source,
            "JUPYTER_CONFIG_DIR": str(home / "config"),
            "JUPYTER_DATA_DIR": str(home / "data"),
            "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
            "JUPYTERLAB_SETTINGS_DIR": str(home / "lab-settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(home / "lab-workspaces"),
            "IPYTHONDIR": str(home / "ipython"),
            "NO_PROXY": "127.0.0.1",
        }
        if modules is not None:
            paths = (str(modules), os.environ.get("PYTHONPATH", ""))
            environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        log = (home / "server.log").open("w")
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                app,
                "--no-browser",
                "--allow-root",
                f"--port={port}",
                "--ServerApp.port_retries=0",
                f"--IdentityProvider.token={token}",
                f"--ServerApp.base_url={base_url}",
                f"--ServerApp.root_dir={folder}",
                # Tests ask JupyterLab itself whether a notebook's kernel is ready.
                *(["--LabApp.expose_app_in_browser=True"] if app == "jupyterlab" else []),
                *options,
            ],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )
        log.close()
        server = Server(f"http://127.0.0.1:{port}{base_url}", token, folder, process)
        started.append(server)
        wait_until_it_answers(server, home / "server.log")
        return server

    yield start
    for server in started:
        server.process.terminate()
        try:
            server.process.wait(20)
        except subprocess.TimeoutExpired:
            server.process.kill()
            server.process.wait()


def wait_until_it_answers(server: Server, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        try:
            server.get("gpuperf/latest")
        except (urllib.error.URLError, OSError):
            if server.process.poll() is not None:
                break
            time.sleep(0.2)
        else:
            return
    pytest.fail(f"The server did not come up:\n{log.read_text()[-4000:]}")


@pytest.fixture(scope="module")
def lab(start_server, packaged_recordings) -> Server:
    """JupyterLab with two replayed devices."""
    return start_server(f"replay:{','.join(map(str, packaged_recordings))}")


@pytest.fixture(autouse=True)
def end_kernels(request) -> Iterator[None]:
    """End the notebooks' kernels after each test: the panel of the next one would show what they still run."""
    yield
    if "lab" in request.fixturenames:
        request.getfixturevalue("lab").end_kernels()


@pytest.fixture(scope="session")
def packaged_recordings() -> list[Path]:
    return sorted((Path(__file__).parents[2] / "jupyter_gpuperf" / "recordings").glob("*.gz"))
