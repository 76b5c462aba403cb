"""Measure the browser's CPU time for the dashboard: eight devices, six metrics, 600 points per curve, 10 Hz.

    python tests/perf/page_cpu.py [--devices 8] [--interval-ms 100] [--seconds 30] [--rounds 3] [--json]

A real JupyterLab replays devices in a real Chromium. The page is measured in alternation with the dashboard
visible and hidden. It prints the frames per second, and the CPU time of the page's process as a share of one
core, with and without the dashboard; the CPU time of Chromium's GPU process is separate.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from server_process import RECORDING, wait_for

sys.path[:0] = [str(Path(__file__).parents[1])]
from real_browser import CHROMIUM_FLAGS, chromium

METRICS = (
    "utilization_percent",
    "sm_active_percent",
    "memory_used_bytes",
    "power_watts",
    "temperature_celsius",
    "clock_sm_mhz",
)
FULL_SECONDS = 62.0
"""After this time each curve has 600 points."""


def busy_seconds(kind: str) -> float:
    """Return the CPU seconds so far of the browser's processes of one kind."""
    total = 0.0
    for each in psutil.Process().children(recursive=True):
        try:
            if f"--type={kind}" in each.cmdline():
                times = each.cpu_times()
                total += times.user + times.system
        except psutil.NoSuchProcess:
            continue
    return total


def observe(page: Any, seconds: float) -> dict[str, float]:
    """Watch the page for some seconds; return frames per second and CPU shares."""
    drawn = (
        "() => Number(document.querySelector('[data-metric=power_watts] .jp-GpuPerf-plot')"
        "?.dataset.drawn ?? 0)"
    )
    before = {kind: busy_seconds(kind) for kind in ("renderer", "gpu-process")}
    pictures, began = page.evaluate(drawn), time.monotonic()
    page.wait_for_timeout(1000 * seconds)
    elapsed = time.monotonic() - began
    after = {kind: busy_seconds(kind) for kind in before}
    return {
        "pictures_per_second": (page.evaluate(drawn) - pictures) / elapsed,
        "page_percent": 100 * (after["renderer"] - before["renderer"]) / elapsed,
        "painting_percent": 100 * (after["gpu-process"] - before["gpu-process"]) / elapsed,
    }


def measure(options: argparse.Namespace, address: str) -> dict[str, float]:
    """Open the page, then watch it with the dashboard visible and hidden, in alternation."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        page.set_default_timeout(60_000)
        page.goto(address)
        page.click(".jp-GpuPerf-statusItem button")
        page.click(".jp-GpuPerf-toDashboard")
        page.click(".jp-GpuPerf-dashboard [data-range='60']")
        page.click(".jp-GpuPerf-picker summary")
        for box in page.locator(".jp-GpuPerf-picker input").all():
            wanted = box.get_attribute("name") in METRICS
            if box.is_checked() != wanted:
                box.set_checked(wanted)
        page.click(".jp-GpuPerf-picker summary")
        page.wait_for_timeout(1000 * FULL_SECONDS)
        found: dict[str, list[dict[str, float]]] = {"with": [], "without": []}
        for _ in range(options.rounds):
            found["with"].append(observe(page, options.seconds))
            page.click(
                ".lm-DockPanel-tabBar .lm-TabBar-addButton"
            )  # the launcher hides the dashboard
            page.wait_for_timeout(2000)
            found["without"].append(observe(page, options.seconds))
            page.click(".lm-DockPanel-tabBar .lm-TabBar-tab:has-text('GPU Dashboard')")
            page.wait_for_timeout(3000)
        browser.close()
    return summary_of(found)


def summary_of(found: dict[str, list[dict[str, float]]]) -> dict[str, float]:
    """Return the medians over the rounds, and the dashboard's share of the CPU time."""
    middle = {
        state: {
            name: statistics.median(each[name] for each in rounds) for name in next(iter(rounds))
        }
        for state, rounds in found.items()
    }
    return {
        "pictures_per_second": round(middle["with"]["pictures_per_second"], 2),
        **{
            f"{name}_{state}_dashboard": round(figures[name], 1)
            for state, figures in middle.items()
            for name in ("page_percent", "painting_percent")
        },
        "page_percent_of_the_dashboard": round(
            middle["with"]["page_percent"] - middle["without"]["page_percent"], 1
        ),
    }


def main() -> None:
    """Start a server, measure, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=8)
    parser.add_argument("--interval-ms", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        lab = home / "CONFIG" / "labconfig"
        lab.mkdir(parents=True)
        news = {"@jupyterlab/apputils-extension:announcements": True}
        (lab / "page_config.json").write_text(json.dumps({"disabledExtensions": news}))
        settings = home / "lab-settings" / "jupyter-gpuperf"
        settings.mkdir(parents=True)
        wish = json.dumps({"intervalMs": options.interval_ms})
        (settings / "plugin.jupyterlab-settings").write_text(wish)
        folders = {
            f"JUPYTER_{kind}_DIR": str(home / kind) for kind in ("CONFIG", "RUNTIME", "DATA")
        }
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
                *(f"--port={port}", f"--IdentityProvider.token={token}"),
                *("--ServerApp.log_level=ERROR", f"--ServerApp.root_dir={home}"),
            ],
            env={
                **os.environ,
                **folders,
                "JUPYTERLAB_SETTINGS_DIR": str(home / "lab-settings"),
                "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
                "JUPYTER_GPUPERF_SOURCE": f"replay:{','.join([str(RECORDING)] * options.devices)}",
            },
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/gpuperf/latest", token)
            figures = measure(options, f"http://127.0.0.1:{port}/lab?token={token}")
        finally:
            server.terminate()
            server.wait()
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name}: {value}")


if __name__ == "__main__":
    main()
