"""The panel's Environment section: its counts, a warning opened, another environment chosen."""

from __future__ import annotations

import json
import re
import sys
import time
import uuid
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from test_lab import PANEL, open_panel

pytestmark = pytest.mark.ui

EXAMINED_MS = 60_000
SECTION = f"{PANEL} [data-section=environment]"


@pytest.fixture
def panel(browser, lab) -> Iterator[Page]:
    """A page of a server that also has a kernel with two faults."""
    about = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Left from debugging",
        "language": "python",
        "env": {"CUDA_LAUNCH_BLOCKING": "1", "NCCL_DEBUG": "INFO"},
    }
    folder = lab.folder.parent / "data" / "kernels" / "debugging"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kernel.json").write_text(json.dumps(about))
    context = browser.new_context(
        viewport={"width": 1440, "height": 1000},
        permissions=["clipboard-read", "clipboard-write"],
    )
    page = context.new_page()
    # Its own workspace, in which nobody has opened the section yet.
    page.goto(lab.page(f"lab/workspaces/{uuid.uuid4().hex}"))
    open_panel(page)
    page.locator(f"{SECTION} > summary").click()
    yield page
    context.close()


def faulty(panel):
    """Choose the kernel with the faults; return its first check, opened."""
    section = panel.locator(SECTION)
    note = section.locator("> summary .jp-GpuPerf-note")
    expect(note).to_have_text(re.compile(r"\d+ checks, "), timeout=EXAMINED_MS)
    section.locator("select[name=environment]").select_option(label="Left from debugging")
    again = section.get_by_role("button", name="Check again")
    expect(again).to_be_enabled(timeout=EXAMINED_MS)
    again.click()  # the report from before the faults is shown until then
    expect(note).to_have_text(
        re.compile(r"^✕ \d+ checks, 1 failure, [1-9]\d* warning"), timeout=EXAMINED_MS
    )
    first = section.locator(".jp-GpuPerf-checks > li").first
    expect(first).to_have_attribute("data-check", "launch_blocking")  # failures come first
    first.locator("summary").click()
    return first


def test_counts_a_warning_and_another_environment(panel):
    section = panel.locator(SECTION)
    expect(section.get_by_text("OK (")).to_be_visible(timeout=EXAMINED_MS)
    first = faulty(panel)
    for words in ("Found", "Python waits for each GPU kernel", "Expected", "Why it matters"):
        expect(first.get_by_text(words).first).to_be_visible()
    expect(first.locator("pre")).to_contain_text("CUDA_LAUNCH_BLOCKING")
    first.get_by_role("button", name="Copy").click()
    expect(first.get_by_role("button", name="Copied")).to_be_visible()
    copied = panel.evaluate("navigator.clipboard.readText()")
    assert copied == first.locator("pre").inner_text()
    warning = section.locator("[data-check=debugging_variables]")
    expect(warning).to_have_attribute("data-status", "warn")
    expect(section.get_by_role("button", name="Check again")).to_be_enabled()


def test_a_click_writes_the_line_into_a_terminal_and_enter_runs_it(panel, lab):
    section = panel.locator(SECTION)
    faulty(panel).get_by_role("button", name="Open in terminal").click()
    terminal = panel.locator(".jp-Terminal .xterm")
    expect(terminal).to_be_visible()
    spec = lab.folder.parent / "data" / "kernels" / "debugging" / "kernel.json"
    # The terminal is painted, so its text can't be read: Enter shows that the line is there.
    deadline = time.monotonic() + 30
    while "CUDA_LAUNCH_BLOCKING" in spec.read_text() and time.monotonic() < deadline:
        terminal.locator("textarea").focus()
        panel.keyboard.press("Enter")
        panel.wait_for_timeout(500)
    section.get_by_role("button", name="Check again").click()
    failure = section.locator("[data-check=launch_blocking]")
    expect(failure).to_have_attribute("data-status", "ok", timeout=EXAMINED_MS)
