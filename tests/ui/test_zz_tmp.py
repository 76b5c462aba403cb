import pytest

pytestmark = pytest.mark.ui


def test_shots(start_server, packaged_recordings, open_page):
    s = start_server("replay:" + ",".join(str(p) for p in (packaged_recordings * 4)))
    page = open_page(s.page("lab"))
    msgs = []
    page.on("console", lambda m: msgs.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: msgs.append(str(e)))
    page.wait_for_selector(".jp-GpuPerf-statusItem button")
    page.click(".jp-GpuPerf-statusItem button")
    page.click(".jp-GpuPerf-toDashboard")
    page.wait_for_timeout(9000)
    page.screenshot(path="/tmp/dash/overlay.png")
    page.click("[data-layout=columns] >> nth=0") if False else page.click(
        "button[data-layout=columns]"
    )
    page.wait_for_timeout(1500)
    page.screenshot(path="/tmp/dash/columns.png")
    page.click(".jp-GpuPerf-picker summary")
    page.wait_for_timeout(500)
    page.screenshot(path="/tmp/dash/picker.png")
    page.click(".jp-GpuPerf-picker summary")
    page.click("[data-range='600']")
    page.click("button[data-layout=overlay]")
    page.locator(".jp-GpuPerf-timechart button").first.click()
    page.wait_for_timeout(2500)
    page.screenshot(path="/tmp/dash/ten.png")
    print(msgs)
