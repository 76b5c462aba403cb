"""The notebooks of processes, and alerts, as a user sees them; the driver is faked."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from notebooks import SHOWN, open_notebook
from playwright.sync_api import Page, expect
from test_lab import PANEL, ROOT, open_panel

pytestmark = pytest.mark.ui

GIB = 1 << 30
DRIVER = """
import json
from pathlib import Path
from types import SimpleNamespace

from fake_nvml import FakeNvml, NVMLError

STATE = Path(__file__).with_name("state.json")
driver = FakeNvml(count=2)


def state():
    return json.loads(STATE.read_text())


def memory(version):
    used = state()["used_bytes"]
    total = 85_520_809_984
    return SimpleNamespace(total=total, used=used, free=total - used, reserved=0)


def utilization():
    if state()["lost"]:
        raise NVMLError(15)
    return SimpleNamespace(gpu=63, memory=21)


driver.answers[0, "nvmlDeviceGetComputeRunningProcesses"] = lambda: [
    SimpleNamespace(**each) for each in state()["processes"]
]
driver.answers[0, "nvmlDeviceGetMemoryInfo"] = memory
driver.answers[1, "nvmlDeviceGetUtilizationRates"] = utilization


def __getattr__(name):
    return getattr(driver, name)
"""


SAYS = """
import os
from jupyter_gpuperf.schemas.kernel_link import MemoryReport, TorchMemory
from jupyter_gpuperf.kernel_link.memory_reporter import MemoryReporter

held = MemoryReport(devices={{"{uuid}": TorchMemory(allocated_bytes=10 * 2.0**30, reserved_bytes=11 * 2.0**30)}})
MemoryReporter(memory=lambda: held, interval_seconds=0.1).start()
print(os.getpid())
"""


class Driver:
    """The answers of the faked driver from now on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = {"processes": [], "used_bytes": 13_200_000_000, "lost": False}
        self.set()

    def set(self, **changes) -> None:
        self.state |= changes
        complete = self.folder / "state.json.new"
        complete.write_text(json.dumps(self.state))
        complete.rename(self.folder / "state.json")


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    folder = tmp_path_factory.mktemp("driver")
    (folder / "pynvml.py").write_text(DRIVER)
    shutil.copy(ROOT / "tests" / "fake_nvml.py", folder)
    return Driver(folder)


@pytest.fixture(scope="module")
def server(start_server, driver):
    return start_server("nvml", modules=driver.folder)


@pytest.fixture(scope="module")
def page(browser, server) -> Iterator[Page]:
    """One page with the panel for all tests that need no notebook: loading JupyterLab takes seconds."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    page = context.new_page()
    page.goto(server.page())
    open_panel(page)
    yield page
    context.close()


def kernels_of(server, path: str) -> list[str]:
    return [each["kernel"]["id"] for each in server.get("api/sessions") if each["path"] == path]


def pid_of_kernel(page) -> int:
    page.locator(".jp-Notebook .jp-Cell").first.click()
    page.keyboard.press("Shift+Enter")
    output = page.locator(".jp-OutputArea-output pre").first
    output.wait_for()
    return int(output.inner_text())


def test_a_notebook_that_holds_memory_is_named_and_freed_with_a_click(open_page, server, driver):
    page = open_notebook(open_page, server, "train", "import os; print(os.getpid())")
    open_panel(page)
    pid = pid_of_kernel(page)
    driver.set(processes=[{"pid": pid, "usedGpuMemory": 12 * GIB}])
    holder = page.locator(f"{PANEL} .jp-GpuPerf-holder")
    expect(holder).to_contain_text("train.ipynb")
    expect(holder).to_contain_text("12.0 GiB")
    expect(holder).to_contain_text(f"process {pid}")
    before = kernels_of(server, "train.ipynb")
    assert len(before) == 1
    page.screenshot(path=ROOT / "test-results" / "notebooks.png")

    holder.get_by_role("button", name="Restart").click()
    dialog = page.locator(".jp-Dialog")
    expect(dialog).to_contain_text("All variables in train.ipynb are lost")
    dialog.get_by_role("button", name="Cancel").click()
    assert kernels_of(server, "train.ipynb") == before  # nothing happens without confirmation

    holder.get_by_role("button", name="Shut down").click()
    page.locator(".jp-Dialog").get_by_role("button", name="Shut down").click()
    expect(page.locator(".jp-Dialog")).to_have_count(0)
    expect(page.locator(f"{SHOWN} .jp-Toolbar-kernelName")).to_have_text("No Kernel")
    assert kernels_of(server, "train.ipynb") == []
    driver.set(processes=[])
    expect(page.locator(f"{PANEL} [data-section=processes]")).to_contain_text(
        "No process is using a GPU"
    )


def test_a_notebook_that_the_drivers_list_does_not_name_speaks_for_itself(
    open_page, server, driver
):
    uuid = server.get("gpuperf/devices")["devices"][0]["uuid"]
    page = open_notebook(open_page, server, "says", SAYS.format(uuid=uuid))
    open_panel(page)
    # As in a container: a process id that no process here can have.
    driver.set(processes=[{"pid": 2**22 + 1, "usedGpuMemory": 12 * GIB}])
    expect(page.locator(f"{PANEL} .jp-GpuPerf-holder")).to_contain_text("Unknown process")
    pid = pid_of_kernel(page)

    holder = page.locator(f"{PANEL} .jp-GpuPerf-holder", has_text="says.ipynb")
    expect(holder).to_contain_text("11.0 GiB")
    expect(holder).to_contain_text(f"process {pid} · self-reported: 10.0 GiB in tensors")
    expect(page.locator(f"{PANEL} .jp-GpuPerf-holder", has_text="Unknown process")).to_have_count(1)
    page.screenshot(path=ROOT / "test-results" / "notebook_speaks.png")

    holder.get_by_role("button", name="Shut down").click()
    page.locator(".jp-Dialog").get_by_role("button", name="Shut down").click()
    expect(holder).to_have_count(0)
    driver.set(processes=[])


def test_memory_nearly_full_is_told_in_the_panel_and_as_a_notification(page, driver):
    driver.set(used_bytes=84_000_000_000)
    try:
        alert = page.locator(f"{PANEL} [data-alert=memory_nearly_full]")
        expect(alert).to_contain_text(
            "GPU 0: Memory is nearly full: 78.2 of 79.6 GiB.", timeout=20_000
        )
        # There may also be an alert for the device that another test lost.
        told = page.locator(".Toastify__toast", has_text="Memory is nearly full")
        expect(told).to_be_visible()
        page.screenshot(path=ROOT / "test-results" / "alerts.png")
    finally:
        driver.set(used_bytes=13_200_000_000)
    expect(alert).to_have_count(0, timeout=30_000)


def test_a_lost_device_is_said_on_its_card_and_the_other_goes_on(page, driver):
    driver.set(lost=True)
    try:
        lost = page.locator(f"{PANEL} .jp-GpuPerf-card").nth(1)
        expect(lost.locator("[data-state=device_lost]")).to_contain_text("Device lost")
        expect(lost.locator("[data-metric=power_watts]").first).to_contain_text("–")
        other = page.locator(f"{PANEL} .jp-GpuPerf-card").first
        expect(other.locator("[data-metric=power_watts]").first).to_contain_text("542")
        expect(page.locator(f"{PANEL} [data-alert=device_lost]")).to_contain_text("GPU 1")
    finally:
        driver.set(lost=False)
