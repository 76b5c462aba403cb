"""Who holds a notebook's memory, in the panel: a real kernel answers; the driver is faked."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
from notebooks import SHOWN, open_notebook, run_all_cells
from playwright.sync_api import Page, expect
from test_lab import PANEL, ROOT, open_panel
from test_notebooks_and_alerts import DRIVER, GIB, Driver

pytest.importorskip("torch")
pytestmark = pytest.mark.ui

CELLS = (
    """\
%load_ext jupyter_gpuperf
import os, torch
from torch import nn
def mebibytes(count): return torch.zeros(count * 2**18)
model = nn.Sequential(nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, 512))
optimizer = torch.optim.AdamW(model.parameters())
losses = []
for step in range(3):
    losses.append(model(mebibytes(1).view(256, 1024)).square().mean())
    losses[-1].backward(retain_graph=True)
    optimizer.step()
history = {"predictions": [mebibytes(4), mebibytes(2)]}
print(os.getpid())""",
    "mebibytes(16)",
    """\
def forward(images):
    hidden = images * 2
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
forward(mebibytes(8))""",
)


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    folder = tmp_path_factory.mktemp("driver")
    (folder / "pynvml.py").write_text(DRIVER.replace("count=2", "count=1"))
    shutil.copy(ROOT / "tests" / "fake_nvml.py", folder)
    return Driver(folder)


@pytest.fixture(scope="module")
def server(start_server, driver):
    return start_server("nvml", modules=driver.folder)


def test_a_notebook_s_owners_are_listed_and_what_only_the_history_holds_is_freed(
    open_page, server, driver
):
    page = open_notebook(open_page, server, "train", *CELLS)
    open_panel(page)
    run_all_cells(page)
    output = page.locator(f"{SHOWN} .jp-OutputArea-output pre", has_text=re.compile(r"^\d+\s*$"))
    driver.set(processes=[{"pid": int(output.inner_text(timeout=60_000)), "usedGpuMemory": GIB}])
    holder = page.locator(f"{PANEL} .jp-GpuPerf-holder")
    owners = holder.locator("[data-part=owners]")
    owners.locator("summary").click(timeout=60_000)
    expect(owners.locator("tr").first).to_contain_text("Out[2]")
    expect(owners.locator("tr[data-owner=parameter]")).to_contain_text("model")
    expect(owners.locator("tr[data-owner=variable]").first).to_contain_text("history")
    expect(owners).to_contain_text(re.compile(r"last look \d+ s ago"))
    # The same in the row and as a finding.
    expect(holder).to_contain_text("Out of memory; held by", timeout=60_000)
    expect(page.locator(f"{PANEL} [data-finding=out-of-memory]")).to_contain_text("Out[2]")
    take_shots(page)

    owners.locator("[data-action=free]").click()
    dialog = page.locator(".jp-Dialog")
    expect(dialog).to_contain_text("Out[2]")
    expect(dialog).to_contain_text("frees 32 MiB")
    dialog.get_by_role("button", name="Free").click()
    expect(owners).to_contain_text("32 MiB came free")
    expect(owners.locator("tr[data-owner=history]")).to_have_count(0)
    expect(owners.locator("tr[data-owner=parameter]")).to_contain_text("model")


def take_shots(page: Page) -> None:
    """Keep pictures of the unfolded row, light and dark, if a folder for them is given."""
    folder = os.environ.get("GPUPERF_SHOTS")
    if folder is None:
        return
    page.set_viewport_size({"width": 1440, "height": 900})
    for theme in ("Light", "Dark"):
        page.evaluate(
            "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})",
            f"JupyterLab {theme}",
        )
        page.locator(f"body[data-jp-theme-name='JupyterLab {theme}']").wait_for(state="attached")
        page.locator("[data-part=owners]").scroll_into_view_if_needed()
        page.screenshot(path=Path(folder) / f"owners_{theme.lower()}.png")
