"""Jobs arrive over the live socket: a page with a live socket sends no requests for them."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import expect
from test_lab import PANEL, fill, open_panel, run

pytestmark = pytest.mark.ui


def test_a_job_runs_to_its_end_in_the_panel_without_being_asked_for(lab, open_page):
    page = open_page(lab.page())
    told = []
    page.on(
        "websocket",
        lambda socket: (
            socket.on("framereceived", lambda frame: told.append(json.loads(frame)["type"]))
            if "gpuperf/live" in socket.url
            else None
        ),
    )
    page.reload()  # the socket was open before the test listened
    content = page.locator(f"{PANEL} .jp-GpuPerf-content")
    # Another test may have left the panel open, and JupyterLab remembers it.
    either = f"{PANEL} .jp-GpuPerf-content:visible, .jp-GpuPerf-statusItem button:visible"
    expect(page.locator(either).first).to_be_visible()
    if not content.is_visible():
        open_panel(page)
    expect(page.locator(".jp-GpuPerf-status")).to_have_attribute("data-connection", "live")
    fill(page, items=64, batch_size=16, workers=0, time_limit_seconds=3)
    asked = []
    listing = re.compile(r"gpuperf/(jobs|suites|recordings)(\?|$)")
    page.on(
        "request",
        lambda request: (
            asked.append(request.url)
            if request.method == "GET" and listing.search(request.url)
            else None
        ),
    )
    job = run(page)
    expect(job).to_have_attribute("data-job-state", "done", timeout=60_000)
    assert {"jobs", "suites", "recordings"} <= set(told)
    assert len(asked) <= 2  # the click on Run requests jobs and suites, and nothing does after it
