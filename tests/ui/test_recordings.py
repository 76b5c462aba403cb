"""Recording from the panel: start, stop, download a file that replays, delete after a confirmation."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from test_lab import PANEL, open_panel

from jupyter_gpuperf.metrics import METRICS
from jupyter_gpuperf.recordings.load import load_recording

pytestmark = pytest.mark.ui

SECTION = f"{PANEL} [data-section=recordings]"


def test_record_stop_download_delete(lab, open_page, tmp_path):
    page = open_page(lab.page())
    open_panel(page)
    assert page.locator(f"{SECTION}[open]").count() == 0  # most people never need it
    page.click(f"{SECTION} > summary")
    page.click(f"{SECTION} [data-action=record]")
    expect(page.locator(f"{SECTION} > summary")).to_contain_text("recording")
    # Let the recording contain something before it stops.
    lab.ask_until(
        "gpuperf/recordings", lambda found: (found["recordings"][0]["frames_count"] or 0) >= 5
    )
    page.click(f"{SECTION} [data-action=stop]")
    entry = page.locator(f"{SECTION} li")
    expect(entry).to_have_attribute("data-state", "stopped")

    with page.expect_download() as download:
        entry.get_by_role("link", name="Download").click()
    path = tmp_path / "sent.jsonl.gz"
    download.value.save_as(path)
    assert download.value.suggested_filename.endswith(".jsonl.gz")
    assert len(load_recording(path, METRICS).seconds) >= 5

    entry.get_by_role("button", name="Delete").click()
    page.click(".jp-Dialog .jp-mod-reject")
    expect(entry).to_have_count(1)
    entry.get_by_role("button", name="Delete").click()
    page.click(".jp-Dialog .jp-mod-accept")
    expect(entry).to_have_count(0)
    assert lab.get("gpuperf/recordings")["recordings"] == []
