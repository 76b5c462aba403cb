"""A real JupyterHub on loopback: its proxy, two users, and a server of their own for each."""

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
from typing import Any

import pytest

PASSWORD = "only on loopback"
START_SECONDS = 180
USERS = ("alice", "bob", "carol")
CULLER_TOKEN = secrets.token_hex(16)

CONFIGURATION = """
c = get_config()
c.JupyterHub.bind_url = "http://127.0.0.1:{ports[0]}/jupyter/"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{ports[1]}"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{ports[2]}"
c.ConfigurableHTTPProxy.command = {proxy!r}
c.JupyterHub.db_url = "sqlite:///:memory:"
c.JupyterHub.cookie_secret_file = "cookie-secret"
c.ConfigurableHTTPProxy.pid_file = "proxy.pid"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.DummyAuthenticator.password = {password!r}
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = {homes!r} + "/{{username}}"
c.Spawner.cmd = [{python!r}, "-m", "jupyterhub.singleuser"]
c.Spawner.args = ["--allow-root"]
c.Spawner.environment = {{
    "JUPYTER_GPUPERF_SOURCE": "nvml",
    "PYTHONPATH": {driver!r},
    "JUPYTERHUB_ACTIVITY_INTERVAL": "1",
    "NO_PROXY": "127.0.0.1",
}}
c.Spawner.start_timeout = {start_seconds}
c.Spawner.http_timeout = {start_seconds}
# Servers start side by side.
c.JupyterHub.tornado_settings = {{"slow_spawn_timeout": 0}}
# What the hub knows about activity is to be new.
c.JupyterHub.last_activity_interval = 1
c.JupyterHub.activity_resolution = 0
c.JupyterHub.services = [
    {{"name": "tests", "api_token": {admin_token!r}}},
    {{"name": "culler", "api_token": {culler_token!r}}},
]
c.JupyterHub.load_roles = [
    {{"name": "admin", "services": ["tests"]}},
    {{
        "name": "culler",
        "services": ["culler"],
        "scopes": [
            "list:users!user=carol",
            "read:users:activity!user=carol",
            "read:servers!user=carol",
            "delete:servers!user=carol",
        ],
    }},
]
"""


DRIVER = """
import json
from pathlib import Path
from types import SimpleNamespace

from fake_nvml import FakeNvml

PROCESSES = Path(__file__).with_name("processes.json")


def processes():
    return [SimpleNamespace(**each) for each in json.loads(PROCESSES.read_text())]


driver = FakeNvml(count=2)
driver.answers[0, "nvmlDeviceGetComputeRunningProcesses"] = processes


def __getattr__(name):
    return getattr(driver, name)
"""


@dataclass(frozen=True)
class Hub:
    """A running hub, and the stand-in for the driver that the servers of all users share."""

    url: str
    admin_token: str
    driver: Path
    tokens: dict[str, str]

    def use_device(self, memory_used_bytes: dict[int, int]) -> None:
        """Have the driver list these processes: pid → memory."""
        listed = [{"pid": pid, "usedGpuMemory": used} for pid, used in memory_used_bytes.items()]
        complete = self.driver / "processes.json.new"
        complete.write_text(json.dumps(listed))
        complete.rename(self.driver / "processes.json")

    def call(self, path: str, method: str = "GET", body: object = None) -> Any:
        """Ask the hub's own API."""
        return ask(f"{self.url}hub/api/{path}", self.admin_token, method, body)

    def server_url(self, user: str) -> str:
        """Return the address of a user's server, as the world sees it."""
        return f"{self.url}user/{user}/"

    def get(self, user: str, path: str) -> Any:
        """Ask a user's server, with that user's token."""
        return self.ask_as(user, user, path)

    def get_text(self, user: str, path: str) -> str:
        """Ask a user's server for what is no JSON."""
        return fetch(f"{self.server_url(user)}{path}", self.tokens[user]).decode()

    def ask_as(
        self, asker: str, owner: str, path: str, method: str = "GET", body: object = None
    ) -> Any:
        """Ask ``owner``'s server with the token of ``asker``."""
        return ask(f"{self.server_url(owner)}{path}", self.tokens[asker], method, body)

    def server(self, user: str) -> dict | None:
        """Return what the hub knows of a user's server; ``None`` when there is none."""
        return self.call(f"users/{user}")["servers"].get("")


def ask(url: str, token: str, method: str = "GET", body: object = None) -> Any:
    text = fetch(url, token, method, body)
    return json.loads(text) if text else None


def fetch(url: str, token: str, method: str = "GET", body: object = None) -> bytes:
    request = urllib.request.Request(
        url,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"token {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as response:
        return response.read()


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def wait_until(
    condition: Callable[[], Any], what: str, seconds: float = START_SECONDS, pause: float = 0.2
) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(pause)
    return pytest.fail(f"{what} did not happen within {seconds:.0f} s.")


def proxy_command() -> list[str]:
    """Return the proxy that scripts/test-integration installed, or one on the PATH."""
    installed = Path(sys.prefix) / "hub-proxy" / "node_modules" / ".bin"
    search = os.pathsep.join([str(installed), os.environ["PATH"]])
    found = shutil.which("configurable-http-proxy", path=search)
    assert found, "there is no configurable-http-proxy: run scripts/test-integration"
    return [found]


@pytest.fixture(scope="session")
def hub(tmp_path_factory) -> Iterator[Hub]:
    """A hub with the servers of all users running."""
    folder = tmp_path_factory.mktemp("hub")
    admin_token = secrets.token_hex(16)
    ports = free_ports(3)
    driver = folder / "driver"
    driver.mkdir()
    (driver / "pynvml.py").write_text(DRIVER)
    shutil.copy(Path(__file__).with_name("fake_nvml.py"), driver)
    homes = folder / "homes"
    for user in USERS:
        settings = homes / user / ".jupyter" / "labconfig"
        settings.mkdir(parents=True)
        # The news pop-up would ask the network and cover the page.
        disabled = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
        (settings / "page_config.json").write_text(json.dumps(disabled))
    (folder / "jupyterhub_config.py").write_text(
        CONFIGURATION.format(
            ports=ports,
            proxy=proxy_command(),
            password=PASSWORD,
            homes=str(homes),
            python=sys.executable,
            driver=str(driver),
            start_seconds=START_SECONDS,
            admin_token=admin_token,
            culler_token=CULLER_TOKEN,
        )
    )
    log = folder / "hub.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "--config", "jupyterhub_config.py"],
            cwd=folder,
            env={
                **os.environ,
                "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
                "NO_PROXY": "127.0.0.1",
            },
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    hub = Hub(f"http://127.0.0.1:{ports[0]}/jupyter/", admin_token, driver, {})
    hub.use_device({})
    try:
        wait_until(lambda: answers(hub, process, log), "The hub's start")
        start_servers(hub)
        yield hub
    finally:
        process.terminate()  # it ends the proxy and the users' servers
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(hub: Hub, process: subprocess.Popen, log: Path) -> bool:
    if process.poll() is not None:
        pytest.fail(f"The hub did not start:\n{log.read_text()[-4000:]}")
    try:
        return bool(hub.call("")["version"])
    except OSError:
        return False


def start_servers(hub: Hub) -> None:
    for user in USERS:
        hub.call(f"users/{user}", "POST")
        hub.tokens[user] = hub.call(f"users/{user}/tokens", "POST", {})["token"]
        hub.call(f"users/{user}/server", "POST")
    for user in USERS:
        wait_until(
            lambda user=user: (hub.server(user) or {}).get("ready"), f"The start of {user}'s server"
        )
