"""A real JupyterLab in a real browser, on replayed H100s."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

START_SECONDS = 60
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
RESULTS = Path(__file__).parents[2] / "test-results"


@dataclass(frozen=True)
class Server:
    """A running Jupyter server."""

    url: str
    token: str
    folder: Path
    process: subprocess.Popen

    def page(self, path: str = "lab") -> str:
        """Return the address of a page, token included."""
        return f"{self.url}{path}?token={self.token}"

    def get(self, path: str) -> dict:
        """Ask the REST API."""
        request = urllib.request.Request(
            f"{self.url}{path}", headers={"Authorization": f"token {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.load(response)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def start_server(tmp_path_factory) -> Iterator[Callable[..., Server]]:
    """Start servers, below a base URL as behind a hub; each ends with the tests."""
    started: list[Server] = []

    def start(
        source: str,
        *,
        app: str = "jupyterlab",
        port: int | None = None,
        token: str | None = None,
    ) -> Server:
        home = tmp_path_factory.mktemp("home")
        folder = home / "work"
        folder.mkdir()
        settings = home / "config" / "labconfig"
        settings.mkdir(parents=True)
        # The news pop-up would ask the network and cover the page.
        disabled = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
        (settings / "page_config.json").write_text(json.dumps(disabled))
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
                "--ServerApp.base_url=/user/u1/",
                f"--ServerApp.root_dir={folder}",
            ],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )
        log.close()
        server = Server(f"http://127.0.0.1:{port}/user/u1/", token, folder, process)
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


@pytest.fixture(scope="session")
def lab(start_server, packaged_recordings) -> Server:
    """JupyterLab with two replayed devices."""
    return start_server(f"replay:{','.join(map(str, packaged_recordings))}")


@pytest.fixture(scope="session")
def packaged_recordings() -> list[Path]:
    return sorted((Path(__file__).parents[2] / "jupyter_gpuperf" / "recordings").glob("*.gz"))


@pytest.fixture(autouse=True)
def jp_asyncio_loop() -> None:
    """Playwright brings a loop of its own: no other may run beside it."""


@pytest.fixture(autouse=True)
def jp_server_cleanup() -> None:
    """The servers here are processes of their own; nothing is left in this one."""


# Not for the whole session: while it lives, no test elsewhere could run an event loop.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium: the one named by GPUPERF_BROWSER, one on the PATH, or Playwright's own."""
    names = (os.environ.get("GPUPERF_BROWSER"), "chromium", "chromium-browser", "google-chrome")
    found = next((path for name in names if name and (path := shutil.which(name))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, request) -> Iterator[Callable[..., Page]]:
    """Open a page in a fresh profile; keep a picture of it when the test fails."""
    contexts = []

    def open_page(url: str, *, width: int = 1440, height: int = 1000, **options) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        if getattr(request.node, "failed", False):
            RESULTS.mkdir(exist_ok=True)
            for index, page in enumerate(context.pages):
                page.screenshot(path=RESULTS / f"{request.node.name}-{index}.png")
        context.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "call":
        item.failed = report.failed
    return report
