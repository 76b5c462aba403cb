"""JupyterLab: what a user does with the panel."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from notebooks import SHOWN, open_notebook, run_all_cells
from playwright.sync_api import Locator, Page, expect
from saved_state import saving
from take_pictures import take_panel

pytestmark = pytest.mark.ui

PANEL = "#jp-gpuperf-panel"
ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "test-results"


def open_panel(page: Page) -> None:
    page.locator(".jp-GpuPerf-statusItem button").click()
    expect(page.locator(f"{PANEL} .jp-GpuPerf-content")).to_be_visible()


def fill(page: Page, **values: object) -> None:
    parameters = page.locator(".jp-GpuPerf-parameters")
    if parameters.get_attribute("open") is None:
        parameters.locator("summary").click()
    for name, value in values.items():
        page.locator(f"{PANEL} input[name={name}]").fill(str(value))


def run(page: Page) -> Locator:
    """Click Run; return the new job."""
    jobs = page.locator(".jp-GpuPerf-job[data-job]")
    before = jobs.first.get_attribute("data-job") if jobs.count() else None
    page.locator(".jp-GpuPerf-formHead button").click()
    expect(jobs.first).not_to_have_attribute("data-job", before or "")
    return page.locator(f"[data-job='{jobs.first.get_attribute('data-job')}']")


def progress(job: Locator) -> Locator:
    """Return the progress of a job, at the panel's lower edge."""
    return job.page.locator(f"[data-running='{job.get_attribute('data-job')}']")


@pytest.fixture(scope="module")
def panel(browser, lab) -> Iterator[Page]:
    """One page for all tests that leave it unchanged: loading JupyterLab takes seconds."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    page = context.new_page()
    page.goto(lab.page())
    open_panel(page)
    yield page
    context.close()


def test_the_panel_shows_every_device_with_its_figures(panel):
    cards = panel.locator(".jp-GpuPerf-card")
    expect(cards).to_have_count(2)
    for metric, unit in [
        ("utilization_percent", r"%"),
        ("memory_used_bytes", r"of 80 GiB"),
        ("power_watts", r"of 700 W"),
        ("temperature_celsius", r"°C"),
    ]:
        tile = cards.first.locator(f".jp-GpuPerf-tile[data-metric={metric}]")
        expect(tile.locator(".jp-GpuPerf-figure")).to_have_text(re.compile(rf"^\d[\d.]* {unit}$"))
        expect(tile.locator("canvas")).to_be_visible()
    expect(panel.locator(f"{PANEL} .jp-GpuPerf-badge")).to_have_text("Recorded")


def test_values_change_while_one_watches(panel):
    # Values of an idle device don't change; those of another one do.
    figures = panel.locator(".jp-GpuPerf-card .jp-GpuPerf-number")
    for _ in range(3):
        before = figures.all_inner_texts()
        panel.wait_for_function(
            """before => before.join() !== [...document.querySelectorAll(
                '.jp-GpuPerf-card .jp-GpuPerf-number')].map(each => each.innerText).join()""",
            arg=before,
        )


def test_a_curve_begins_with_the_past_and_goes_on(panel):
    drawn = """() => {
        const canvas = document.querySelector('.jp-GpuPerf-chart canvas');
        const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        return pixels.data.some(value => value !== 0);
    }"""
    panel.wait_for_function(drawn)


def test_all_readings_are_listed_by_the_words_of_the_catalogue(panel, lab):
    card = panel.locator(".jp-GpuPerf-card").first
    card.locator("summary", has_text="All readings").click()
    catalog = lab.get("gpuperf/catalog")["metrics"]
    for metric in catalog:
        if metric["scope"] == "device":
            row = card.locator(f"tr[data-metric={metric['name']}]")
            expect(row.locator("th")).to_have_text(metric["label"])
            expect(row.locator("td")).not_to_have_text("")


def test_a_missing_reading_is_a_dash_that_says_why(panel):
    host = panel.locator(".jp-GpuPerf-host")
    expect(host).to_contain_text("CPU")
    # The recordings have no host memory total: the known value is shown alone.
    expect(host.locator("[data-metric=host_memory_used_bytes]")).not_to_contain_text("of")


def test_a_benchmark_runs_to_its_result(panel):
    fill(panel, items=64, batch_size=16, workers=0, time_limit_seconds=2)
    job = run(panel)
    expect(job).to_have_attribute("data-job-state", "running")
    expect(job).to_have_attribute("data-job-state", "done", timeout=60_000)
    batch = job.locator("[data-figure=batch_seconds]")
    expect(batch).to_contain_text(re.compile(r"[\d.]+ (s|ms|µs)"))
    expect(batch).to_contain_text(re.compile(r"\[[\d.]+, [\d.]+\] n = \d+"))
    # It is a click away, wherever the panel is scrolled.
    ended = panel.locator(f"{PANEL} [data-ended]")
    expect(ended).to_contain_text("dataloader: done")
    ended.get_by_role("button", name="Show").click()
    expect(ended).to_have_count(0)
    expect(job).to_be_focused()
    job.locator("summary", has_text="Measured on").click()
    expect(job).to_contain_text("torch")


def test_cancel_ends_a_benchmark(panel, lab):
    fill(panel, items=64, batch_size=16, workers=1, time_limit_seconds=500)
    panel.locator(f"{PANEL} input[name=rigorous]").check()
    job = run(panel)
    expect(job).to_have_attribute("data-job-state", "running")
    expect(progress(job)).to_contain_text("so far", timeout=60_000)
    expect(progress(job)).to_be_in_viewport()
    progress(job).get_by_role("button", name="Cancel").click()
    expect(job).to_have_attribute("data-job-state", "cancelled")
    job_id = job.get_attribute("data-job")
    assert lab.get(f"gpuperf/jobs/{job_id}")["state"] == "cancelled"
    panel.locator(f"{PANEL} input[name=rigorous]").uncheck()  # otherwise the next run takes five


def test_a_value_out_of_range_is_said_beside_the_field(panel):
    fill(panel, workers=1000)
    field = panel.locator(".jp-GpuPerf-field", has=panel.locator("input[name=workers]"))
    expect(field.get_by_role("alert")).to_have_text("Enter a number from 0 to 128.")
    expect(panel.locator(".jp-GpuPerf-formHead button")).to_be_disabled()
    fill(panel, workers=4)
    expect(panel.locator(".jp-GpuPerf-formHead button")).to_be_enabled()


def test_what_the_server_refuses_is_shown_with_what_to_do(panel):
    fill(panel, items=1_000_000)
    failure = run(panel).locator(".jp-GpuPerf-failure")
    expect(failure).to_have_attribute("data-error", "not_enough_memory", timeout=60_000)
    expect(failure).to_contain_text("Choose at most")


def test_jobs_outlive_the_page(panel, open_page, lab):
    fill(panel, items=64, batch_size=16, workers=0, time_limit_seconds=1)
    job_id = run(panel).get_attribute("data-job")
    page = open_page(lab.page())
    open_panel(page)
    job = page.locator(f"[data-job='{job_id}']")
    expect(job).to_have_attribute("data-job-state", "done", timeout=60_000)


def test_a_fold_and_the_open_panel_are_remembered(open_page, lab):
    # Its own workspace: the other tests' pages would find the fold in this state.
    page = open_page(lab.page("lab/workspaces/folds"))
    with saving(page, '"current":"jp-gpuperf-panel"'):
        open_panel(page)
    section = page.locator("[data-section=devices]")
    with saving(page, '"jupyter_gpuperf:section-devices":"off"'):
        section.locator("> summary").click()
    expect(section).not_to_have_attribute("open", "")
    page.reload()
    expect(page.locator(PANEL)).to_be_visible()
    expect(section).not_to_have_attribute("open", "")
    section.locator("> summary").click()
    expect(section).to_have_attribute("open", "")


def test_a_hidden_panel_and_status_bar_stop_the_stream(panel):
    status = panel.locator(".jp-GpuPerf-status")
    expect(status).to_have_attribute("data-connection", "live")
    # As in a background tab: the page reports that it is hidden.
    panel.evaluate(
        """() => {
            Object.defineProperty(document, 'visibilityState', {value: 'hidden', configurable: true});
            document.dispatchEvent(new Event('visibilitychange'));
        }"""
    )
    expect(status).to_have_attribute("data-connection", "paused")
    panel.evaluate(
        """() => {
            delete document.visibilityState;
            document.dispatchEvent(new Event('visibilitychange'));
        }"""
    )
    expect(status).to_have_attribute("data-connection", "live")


def test_the_status_bar_shows_the_first_device(open_page, lab):
    page = open_page(lab.page())
    item = page.locator(".jp-GpuPerf-statusItem")
    expect(item).to_contain_text(re.compile(r"H100 · \d+ % · [\d.]+ of 80 GiB · \d+ °C · \d+ W"))
    expect(item).to_contain_text("and 1 more")


def test_the_magic_in_a_notebook_runs_on_the_server_and_shows_in_the_panel(open_page, lab):
    page = open_notebook(
        open_page,
        lab,
        "magic",
        "%load_ext jupyter_gpuperf",
        "%gpubench dataloader --items 64 --batch-size 16 --workers 0 --time-limit-seconds 1",
    )
    open_panel(page)
    before = len(lab.get("gpuperf/jobs")["jobs"])
    run_all_cells(page)
    expect(page.locator(".jp-GpuPerf-job")).to_have_count(before + 1, timeout=60_000)
    output = page.locator(f"{SHOWN} .jp-OutputArea-output").last
    expect(output).to_contain_text("images/s", timeout=60_000)
    expect(output).to_contain_text("[")


TUNED = """
import time
import torch
from torch.utils.data import DataLoader, Dataset

class Waiting(Dataset):
    def __len__(self):
        return 100_000

    def __getitem__(self, index):
        time.sleep(0.002)
        return torch.tensor(index)

train_loader = DataLoader(Waiting(), batch_size=4)
"""


def test_a_tuning_runs_to_its_recommendation_while_the_panel_shows_its_trials(open_page, lab):
    page = open_notebook(
        open_page,
        lab,
        "tune",
        f"%load_ext jupyter_gpuperf\n{TUNED}",
        "%gpubench dataloader train_loader --tune --budget-seconds 6",
    )
    open_panel(page)
    run_all_cells(page)
    job = page.locator(f"{PANEL} .jp-GpuPerf-job").filter(has_text="tune")
    running = page.locator(f"{PANEL} [data-running]")
    expect(running).to_contain_text("worker", timeout=60_000)  # the setting on trial
    expect(job).to_contain_text("batches per second", timeout=60_000)  # of the trials so far
    RESULTS.mkdir(exist_ok=True)
    page.screenshot(path=RESULTS / "tuning.png")
    expect(job).to_have_attribute("data-job-state", "done", timeout=60_000)
    output = page.locator(f"{SHOWN} .jp-OutputArea-output").filter(has_text="common recipe")
    expect(output).to_contain_text("train_loader = torch.utils.data.DataLoader(")
    page.screenshot(path=RESULTS / "tuned.png")


class TestAfterTheServerWasGone:
    def test_the_page_comes_back_by_itself(self, start_server, open_page, packaged_recordings):
        source = f"replay:{packaged_recordings[0]}"
        server = start_server(source)
        page = open_page(server.page())
        open_panel(page)
        status = page.locator(".jp-GpuPerf-status")
        expect(status).to_have_attribute("data-connection", "live")
        server.process.terminate()
        server.process.wait(20)
        expect(status).to_have_attribute(
            "data-connection", re.compile("reconnecting|polling"), timeout=30_000
        )
        port = int(re.search(r":(\d+)/", server.url)[1])
        start_server(source, port=port, token=server.token)
        expect(status).to_have_attribute("data-connection", "live", timeout=60_000)


def test_without_a_gpu_the_panel_says_what_to_do(start_server, open_page):
    server = start_server("none")
    page = open_page(server.page())
    expect(page.locator(".jp-GpuPerf-statusItem")).to_contain_text("No GPU")
    open_panel(page)
    absent = page.locator(".jp-GpuPerf-absent")
    expect(absent).to_have_attribute("data-reason", "switched_off")
    expect(absent).to_contain_text("JUPYTER_GPUPERF_SOURCE")
    expect(page.locator(".jp-GpuPerf-host")).to_contain_text("GiB")


def test_a_panel_opens_at_the_start_where_the_server_says_so(
    start_server, open_page, packaged_recordings
):
    server = start_server(f"replay:{packaged_recordings[0]}", options=["--GpuPerf.open_panel=True"])
    page = open_page(server.page())
    expect(page.locator(f"{PANEL} .jp-GpuPerf-content")).to_be_visible()
    expect(page.locator(f"{PANEL} .jp-GpuPerf-host")).to_contain_text("Recorded host")
    expect(page.locator(".jp-GpuPerf-statusItem .jp-GpuPerf-badge")).to_have_text("Recorded")


def test_the_panel_explains_itself_once_and_opens_by_its_keys(open_page, lab):
    page = open_page(lab.page("lab/workspaces/introduction"))
    expect(page.locator(".jp-GpuPerf-statusItem button")).to_be_visible()
    # While JupyterLab restores its layout, it gives the focus to what it opens.
    page.evaluate("() => window.jupyterapp.restored.then(() => null)")
    expect(page.locator(".jp-LauncherCard").first).to_be_visible()
    page.keyboard.press("Alt+Shift+G")
    expect(page.locator(PANEL)).to_be_focused()
    introduction = page.locator(f"{PANEL} .jp-GpuPerf-introduction")
    with saving(page, '"jupyter_gpuperf:introduction":"off"'):
        introduction.get_by_role("button", name="Got it").click()
    page.reload()
    expect(page.locator(f"{PANEL} .jp-GpuPerf-card").first).to_be_visible()
    expect(introduction).to_have_count(0)


def test_many_devices_are_rows_that_unfold(start_server, open_page, packaged_recordings):
    starving = packaged_recordings[-1]
    server = start_server(f"replay:{','.join([str(starving)] * 8)}")
    page = open_page(server.page())
    open_panel(page)
    rows = page.locator(".jp-GpuPerf-row")
    expect(rows).to_have_count(8)
    # What is alike on several devices is said once.
    finding = page.locator(f"{PANEL} [data-finding=input-bound]")
    expect(finding).to_have_count(1, timeout=60_000)
    expect(finding.locator("strong").first).to_have_text(re.compile("^8 GPUs: "))
    rows.first.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".jp-GpuPerf-card")).to_have_count(1)
    expect(rows.first).to_have_attribute("aria-expanded", "true")


def test_the_picture_for_the_readme_shows_the_panel_with_a_running_benchmark(
    open_page, start_server, training_recording
):
    """The picture is kept in test-results; ``docs/take_pictures.py`` takes it on a recording of an H100."""
    # Its own server, which remembers no folds of other tests.
    server = start_server(f"replay:{training_recording}")
    shutil.copy(ROOT / "jupyter_gpuperf" / "demo" / "demo.ipynb", server.folder)
    page = open_page(server.page("lab/tree/demo.ipynb"))
    RESULTS.mkdir(exist_ok=True)
    take_panel(page, RESULTS / "panel.png", began=0.0)
    assert (RESULTS / "panel.png").stat().st_size > 20_000
    job = page.locator(f"{PANEL} [data-job]").first
    progress(job).get_by_role("button", name="Cancel").click()
    expect(job).to_have_attribute("data-job-state", "cancelled")
