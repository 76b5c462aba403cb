"""Take the pictures of the documentation: JupyterLab in Chromium, replaying recordings of H100s in tests/recordings.

    python docs/take_pictures.py [FOLDER [NAME …]]

It needs what ``scripts/setup`` installs. All pictures take about ten minutes, because the recordings play in real time.
The Chinese one needs a font with the characters, such as Debian's fonts-wqy-microhei.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[1]
RECORDINGS = ROOT / "tests" / "recordings"
SESSION = RECORDINGS / "h100_session.jsonl.gz"
RECORDED = {
    "walkthrough": RECORDINGS / "h100_walkthrough.jsonl.gz",
    "two_ranks": RECORDINGS / "two_h100_ranks.jsonl.gz",
}
"""The recordings of the pictures that do not use the default one."""

AT_THE_POWER_CAP_SECONDS = 61.0
"""Seconds into the recording: all other phases are over, and matrix products run."""
STARVING_SECONDS = 38.0
"""Seconds into the walkthrough's recording: the last seconds of its first training."""
LATE_SECONDS = 26.0
"""Seconds into the recording of two ranks: the second rank's loader has been slow for twelve seconds."""

sys.path[:0] = [str(ROOT / "tests")]
from real_browser import CHROMIUM_FLAGS, chromium  # in the tests' folder


def served(
    home: Path, theme: str, language: str, recording: Path
) -> tuple[subprocess.Popen[bytes], str]:
    """Start a JupyterLab on a recording; return it and its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    lab = home / "config" / "labconfig"
    lab.mkdir(parents=True)
    news = {"@jupyterlab/apputils-extension:announcements": True}
    (lab / "page_config.json").write_text(json.dumps({"disabledExtensions": news}))
    wishes = {
        "@jupyterlab/apputils-extension/themes": {"theme": theme},
        "@jupyterlab/translation-extension/plugin": {"locale": language},
        "jupyter-gpuperf/plugin": {"intervalMs": 200},
    }
    for name, wish in wishes.items():
        path = home / "settings" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(wish))
    work = home / "work"
    work.mkdir()
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
            *(f"--port={port}", f"--IdentityProvider.token={token}"),
            *("--ServerApp.log_level=ERROR", f"--ServerApp.root_dir={work}"),
        ],
        env={
            **os.environ,
            "JUPYTER_GPUPERF_SOURCE": f"replay:{recording}",
            "JUPYTER_CONFIG_DIR": str(home / "config"),
            "JUPYTER_DATA_DIR": str(home / "data"),
            "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
            "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        },
    )
    address = f"http://127.0.0.1:{port}/"
    request = urllib.request.Request(
        f"{address}gpuperf/latest", headers={"Authorization": f"token {token}"}
    )
    for _ in range(600):
        try:
            urllib.request.urlopen(request, timeout=5).read()
            return server, f"{address}lab?token={token}"
        except OSError:
            time.sleep(0.1)
    raise SystemExit("The server did not come up.")


PANEL = "#jp-gpuperf-panel"
PANEL_TAB = "li[data-id=jp-gpuperf-panel]"
PANEL_WIDTH = 330
"""Width in pixels; in the other pictures the panel has JupyterLab's initial width."""


def wait_until(page: Page, moment: float) -> None:
    """Wait until ``time.monotonic()`` reaches a value in seconds."""
    page.wait_for_timeout(max(0.0, 1000 * (moment - time.monotonic())))


def take_dashboard(
    page: Page,
    path: Path,
    moment: float,
    *,
    beside_panel: bool,
    panel_width: int | None = None,
    minutes: int | None = None,
) -> None:
    """Open the dashboard, wait for the moment of the picture, and take it."""
    page.click(PANEL_TAB)
    put_introduction_away(page)
    if panel_width is not None:
        widen_panel(page, panel_width)
    page.click(".jp-GpuPerf-toDashboard")
    if minutes is not None:
        page.get_by_role("button", name=f"{minutes} min", exact=True).click()
    if not beside_panel:
        page.click(PANEL_TAB)
    page.wait_for_selector(".jp-GpuPerf-timechart canvas")
    wait_until(page, moment)
    page.mouse.move(5, 5)
    page.screenshot(path=path)


def put_introduction_away(page: Page) -> None:
    """Close what the panel says about itself on first use."""
    page.click(f"{PANEL} .jp-GpuPerf-introduction button")


def widen_panel(page: Page, width: int) -> None:
    """Widen the panel by dragging its edge."""
    box = page.locator(PANEL).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] + 1, box["y"] + 300)
    page.mouse.down()
    page.mouse.move(box["x"] + width, box["y"] + 300, steps=5)
    page.mouse.up()


def put_walkthrough(target: Path) -> None:
    """Copy the walkthrough's notebook without its pictures, because this picture is one of them."""
    notebook = json.loads((ROOT / "docs" / "walkthrough.ipynb").read_text())
    cells = notebook["cells"]
    notebook["cells"] = [each for each in cells if "](images/" not in "".join(each["source"])]
    target.write_text(json.dumps(notebook))


def take_walkthrough(page: Page, path: Path, began: float) -> None:
    """Show the walkthrough's notebook beside the finding about its loader."""
    page.locator(".jp-Notebook").wait_for()
    page.click(".jp-GpuPerf-statusItem button")
    page.locator(f"{PANEL} .jp-GpuPerf-content").wait_for()
    put_introduction_away(page)
    widen_panel(page, PANEL_WIDTH)
    finding = page.locator(f"{PANEL} [data-finding=input-bound]")
    finding.locator("[data-action=evidence]").click(timeout=60_000)
    page.locator(".jp-Notebook .jp-Cell", has_text="%gpuwatch on").last.scroll_into_view_if_needed()
    wait_until(page, began + STARVING_SECONDS)
    page.mouse.move(5, 5)
    page.screenshot(path=path)


def take_panel(page: Page, path: Path, began: float) -> None:
    """Run a benchmark beside a notebook, and take the picture while it runs."""
    page.locator(".jp-Notebook").wait_for()
    page.click(".jp-GpuPerf-statusItem button")  # opens it; the tab's icon could close it
    page.locator(f"{PANEL} .jp-GpuPerf-content").wait_for()
    put_introduction_away(page)
    page.click(".jp-GpuPerf-parameters summary")
    page.check(f"{PANEL} input[name=rigorous]")
    page.fill(f"{PANEL} input[name=workers]", "0")
    page.fill(f"{PANEL} input[name=time_limit_seconds]", "60")
    page.click(".jp-GpuPerf-parameters summary")
    wait_until(page, began + AT_THE_POWER_CAP_SECONDS - 8)
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_selector(".jp-GpuPerf-progress:has-text('so far')", timeout=60_000)
    page.locator(".jp-GpuPerf-status").scroll_into_view_if_needed()
    page.mouse.move(5, 5)
    page.screenshot(path=path)


def take_result(page: Page, path: Path) -> None:
    """Run a benchmark three times, and take its result with its history."""
    open_benchmarks(page)
    page.select_option(f"{PANEL} select[name=benchmark]", "compute")
    page.click(".jp-GpuPerf-parameters summary")
    for name, value in {"batch_size": 8, "image_size": 64, "time_limit_seconds": 5}.items():
        page.fill(f"{PANEL} input[name={name}]", str(value))
    page.click(".jp-GpuPerf-parameters summary")
    for done in range(1, 4):
        page.get_by_role("button", name="Run", exact=True).click()
        page.wait_for_function(DONE, arg=done, timeout=120_000)
    page.locator(".jp-GpuPerf-history").first.wait_for()
    page.locator("[data-job]").first.screenshot(path=path)


def take_suite(page: Page, path: Path) -> None:
    """Run a suite of a kernel against itself, and take its results."""
    open_benchmarks(page)
    form = page.locator("[data-form=suite]")
    form.locator("> summary").click()
    form.locator("select[name=suite_other]").select_option("python3")
    form.locator("input[name=rounds]").fill("3")
    form.locator("input[name=minutes]").fill("3")
    form.locator("summary", has_text="benchmarks").click()
    form.get_by_role("button", name="None").click()
    form.get_by_label("pandas").check()
    form.get_by_role("button", name="Run suite").click()
    page.wait_for_function(DONE, arg=1, timeout=400_000)
    page.locator("[data-suite] [data-summary]").wait_for()
    page.locator("[data-suite]").screenshot(path=path)


HEIGHTS = {"panel": 1200, "walkthrough": 1060, "two_ranks": 1160}
"""Height in pixels; taller if the picture shows a lower part of the panel (running benchmark, training)."""

DONE = "count => document.querySelectorAll('[data-job-state=done]').length >= count"


def open_benchmarks(page: Page) -> None:
    """Open the panel with only the benchmarks expanded."""
    page.click(".jp-GpuPerf-statusItem button")
    put_introduction_away(page)
    for name in ("devices", "processes"):
        page.click(f"{PANEL} [data-section={name}] > summary")


def main() -> None:
    """Take all pictures, or the named ones."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    light, dark = "JupyterLab Light", "JupyterLab Dark"
    wanted = [
        ("panel", light, "default", 1440),
        ("dashboard", light, "default", 1440),
        ("dashboard-dark", dark, "default", 1440),
        ("dashboard-zh", light, "zh_CN", 1440),
        ("dashboard-narrow", light, "default", 480),
        ("result", light, "default", 1440),
        ("suite", light, "default", 1440),
        ("walkthrough", light, "default", 1440),
        ("two_ranks", light, "default", 1440),
    ]
    named = sys.argv[2:]
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as home:
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_FLAGS)
        for name, theme, language, width in wanted:
            if named and name not in named:
                continue
            recording = RECORDED.get(name, SESSION)
            server, address = served(Path(home) / name, theme, language, recording)
            began = time.monotonic()
            try:
                height = HEIGHTS.get(name, 900)
                page = browser.new_page(viewport={"width": width, "height": height})
                if name == "panel":
                    shutil.copy(
                        ROOT / "jupyter_gpuperf" / "demo" / "demo.ipynb", Path(home) / name / "work"
                    )
                    page.goto(address.replace("/lab?", "/lab/tree/demo.ipynb?"))
                    take_panel(page, folder / f"{name}.png", began)
                elif name in ("result", "suite"):
                    page.goto(address)
                    take = take_result if name == "result" else take_suite
                    take(page, folder / f"{name}.png")
                elif name == "walkthrough":
                    put_walkthrough(Path(home) / name / "work" / "walkthrough.ipynb")
                    page.goto(address.replace("/lab?", "/lab/tree/walkthrough.ipynb?"))
                    take_walkthrough(page, folder / f"{name}.png", began)
                elif name == "two_ranks":
                    page.goto(address)
                    take_dashboard(
                        page,
                        folder / f"{name}.png",
                        began + LATE_SECONDS,
                        beside_panel=True,
                        panel_width=PANEL_WIDTH,
                        minutes=1,
                    )
                else:
                    page.goto(address)
                    take_dashboard(
                        page,
                        folder / f"{name}.png",
                        began + AT_THE_POWER_CAP_SECONDS,
                        beside_panel=width > 800,
                    )
                page.close()
            finally:
                server.terminate()
                server.wait()
        browser.close()


if __name__ == "__main__":
    main()
