"""GPUs of another machine, whose readings a command writes, in the panel beside this machine's."""

from __future__ import annotations

import json
import shlex
import sys

import psutil
import pytest
from playwright.sync_api import expect
from real_browser import RESULTS
from test_lab import PANEL, open_panel

from jupyter_gpuperf.recordings.load import PACKAGED_FOLDER

pytestmark = pytest.mark.ui

HERE, THERE = sorted(PACKAGED_FOLDER.glob("*.jsonl.gz"))


def streams():
    """Return the commands that stream now."""
    return [
        each
        for each in psutil.Process().children(recursive=True)
        if "stream" in each.cmdline() and "node7" in each.cmdline()
    ]


def test_devices_of_another_machine_are_shown_with_its_name_and_their_silence(
    start_server, open_page
):
    source = shlex.quote(f"replay:{THERE}")
    command = (
        f"{shlex.quote(sys.executable)} -m jupyter_gpuperf stream --host node7 --source {source}"
    )
    server = start_server(json.dumps([f"replay:{HERE}", f"exec:{command}", "exec:false"]))
    page = open_page(server.page())
    open_panel(page)
    panel = page.locator(PANEL)
    expect(panel).to_contain_text("node7", timeout=60_000)
    there = panel.locator(".jp-GpuPerf-card").filter(has_text="node7")
    expect(there.first).to_be_visible()
    RESULTS.mkdir(exist_ok=True)
    page.screenshot(path=RESULTS / "other_machines.png")
    (stream,) = streams()
    stream.suspend()
    try:
        expect(there.first).to_contain_text("No readings arrive from node7", timeout=60_000)
        page.screenshot(path=RESULTS / "other_machine_silent.png")
    finally:
        stream.resume()
    expect(there.first).not_to_contain_text("No readings arrive", timeout=60_000)
