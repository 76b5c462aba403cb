"""Tests with several users of a real JupyterHub."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager

import psutil
import pytest
from playwright.sync_api import Page, expect
from real_hub import CULLER_TOKEN, PASSWORD, fetch, wait_until
from websocket import WebSocket, WebSocketBadStatusException

pytestmark = pytest.mark.ui

PANEL = "#jp-gpuperf-panel"
IDLE_SECONDS = 6
"""Longer than the time between two requests of a visible page."""


def status_of(hub, asker: str, owner: str, path: str, **kwargs) -> int:
    with pytest.raises(urllib.error.HTTPError) as refused:
        hub.ask_as(asker, owner, path, **kwargs)
    with refused.value as answer:
        return answer.code


@pytest.fixture
def open_socket(hub) -> Iterator[Callable[[str, str], WebSocket]]:
    """Open the live socket of a user's server through the hub's proxy."""
    with ExitStack() as opened:

        def open_socket(asker: str, owner: str) -> WebSocket:
            socket = opened.enter_context(closing(WebSocket()))
            socket.connect(
                hub.server_url(owner).replace("http", "ws", 1) + "gpuperf/live?interval_ms=200",
                header=[f"Authorization: token {hub.tokens[asker]}"],
                timeout=20,
            )
            return socket

        yield open_socket


@pytest.mark.parametrize("user", ["alice", "bob"])
def test_each_user_sees_every_device(hub, user):
    devices = hub.get(user, "gpuperf/devices")["devices"]
    assert [device["name"] for device in devices] == ["NVIDIA H100 80GB HBM3"] * 2
    frame = hub.get(user, "gpuperf/latest")
    assert set(frame["devices"]) == {device["uuid"] for device in devices}


@pytest.mark.parametrize(
    "path", ["devices", "latest", "jobs", "processes", "metrics", "recordings"]
)
def test_nobody_reads_on_the_server_of_another_user(hub, path):
    assert status_of(hub, "bob", "alice", f"gpuperf/{path}") == 403


def test_nobody_starts_a_job_on_the_server_of_another_user(hub):
    body = {"benchmark": "compute"}
    assert status_of(hub, "bob", "alice", "gpuperf/jobs", method="POST", body=body) == 403
    assert hub.get("alice", "gpuperf/jobs")["jobs"] == []


def start_notebook(hub, user: str) -> tuple[str, int]:
    """Start a notebook's kernel; return its id and its pid."""
    session = hub.ask_as(
        user,
        user,
        "api/sessions",
        method="POST",
        body={
            "path": f"{user}.ipynb",
            "name": f"{user}.ipynb",
            "type": "notebook",
            "kernel": {"name": "python3"},
        },
    )
    kernel_id = session["kernel"]["id"]
    processes = psutil.process_iter(["cmdline"])
    (pid,) = (
        each.pid
        for each in processes
        if any(f"kernel-{kernel_id}.json" in part for part in each.info["cmdline"] or [])
    )
    return kernel_id, pid


def notebooks_in(processes: dict) -> dict[int, str | None]:
    """Return the notebook's path (or ``None``) for each process on a device, by the driver's pid."""
    return {
        each["driver_pid"]: each["kernel"] and each["kernel"]["notebook_path"]
        for device in processes["devices"].values()
        for each in device["processes"]
    }


def test_each_user_sees_all_processes_but_only_their_own_notebooks(hub):
    (alices_id, alices), (bobs_id, bobs) = (start_notebook(hub, user) for user in ("alice", "bob"))
    hub.use_device({alices: 3_000_000_000, bobs: 5_000_000_000})
    for user, pid, kernel_id in [("alice", alices, alices_id), ("bob", bobs, bobs_id)]:
        expected = {alices: None, bobs: None, pid: f"{user}.ipynb"}
        wait_until(
            lambda user=user, expected=expected: (
                notebooks_in(hub.get(user, "gpuperf/processes")) == expected
            ),
            f"that {user} sees {expected}",
            seconds=20,
        )
        metrics = hub.get_text(user, "gpuperf/metrics")
        assert set(re.findall(r'kernel_id="([^"]+)"', metrics)) == {kernel_id}


def test_readings_come_live_through_the_hubs_proxy(open_socket):
    socket = open_socket("alice", "alice")
    assert json.loads(socket.recv())["type"] == "hello"
    frames = []
    while len(frames) < 3:
        message = json.loads(socket.recv())
        if message["type"] == "frame":
            frames.append(message["time_seconds"])
    assert frames == sorted(set(frames))


def test_the_live_socket_of_another_user_is_refused(open_socket):
    with pytest.raises(WebSocketBadStatusException) as refused:
        open_socket("bob", "alice")
    assert refused.value.status_code == 403


def test_a_token_for_prometheus_reads_metrics_of_that_user_alone(hub):
    scopes = {"scopes": ["access:servers!user=alice"]}
    token = hub.call("users/alice/tokens", "POST", scopes)["token"]

    def scrape(user: str) -> str:
        return fetch(f"{hub.server_url(user)}gpuperf/metrics", token).decode()

    assert "gpuperf_power_watts{" in scrape("alice")
    with pytest.raises(urllib.error.HTTPError) as refused:
        scrape("bob")
    with refused.value as answer:
        assert answer.code == 403


@pytest.fixture
def open_lab(hub, open_page):
    """Log in through the hub's form, and open the user's JupyterLab with the panel."""

    def open_lab(user: str) -> Page:
        page = open_page(f"{hub.url}hub/login?next=%2Fjupyter%2Fuser%2F{user}%2Flab")
        page.locator("#username_input").fill(user)
        page.locator("#password_input").fill(PASSWORD)
        page.locator("#login_submit").click()
        page.wait_for_url(f"**/user/{user}/lab**")
        page.locator(".jp-GpuPerf-statusItem button").click()
        expect(page.locator(f"{PANEL} .jp-GpuPerf-content")).to_be_visible()
        return page

    return open_lab


def test_the_panel_shows_values_below_the_hubs_base_url(open_lab):
    page = open_lab("bob")
    expect(page.locator(".jp-GpuPerf-status")).to_have_attribute("data-connection", "live")
    power = page.locator(".jp-GpuPerf-card [data-metric=power_watts] .jp-GpuPerf-figure").first
    expect(power).to_have_text(re.compile(r"^\d[\d.]* of 700 W$"))


@contextmanager
def culling(hub) -> Iterator[None]:
    """Run JupyterHub's idle culler."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "jupyterhub_idle_culler",
            f"--url={hub.url}hub/api",
            f"--timeout={IDLE_SECONDS}",
            "--cull-every=1",
        ],
        env={"JUPYTERHUB_API_TOKEN": CULLER_TOKEN, "NO_PROXY": "127.0.0.1"},
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def test_an_idle_server_is_culled_although_a_hidden_tab_has_the_panel_open(hub, open_lab):
    page = open_lab("carol")
    seen = hub.server("carol")["last_activity"]
    wait_until(lambda: hub.server("carol")["last_activity"] > seen, "activity while one looks")
    hide(page)
    expect(page.locator(".jp-GpuPerf-status")).to_have_attribute("data-connection", "paused")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    with culling(hub):
        wait_until(lambda: hub.server("carol") is None, "the culling of carol's server")
    page.wait_for_timeout(0)  # let the page's events arrive
    assert [url for url in asked if "/gpuperf/" in url] == []


def hide(page: Page) -> None:
    """Make the page behave as in a background tab."""
    page.evaluate(
        """() => {
            Object.defineProperty(document, 'visibilityState', {value: 'hidden', configurable: true});
            Object.defineProperty(document, 'hidden', {value: true, configurable: true});
            document.dispatchEvent(new Event('visibilitychange'));
        }"""
    )
