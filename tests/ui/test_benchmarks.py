"""The panel's benchmarks: a result with its charts and its history, and suites over two kernels."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from paced import add_kernel, install, tell
from playwright.sync_api import Page, expect
from test_lab import PANEL, fill, open_panel, progress, run

pytestmark = pytest.mark.ui

WAIT_MS = 60_000


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    return install(tmp_path_factory.mktemp("paced"))


@pytest.fixture(scope="module")
def server(start_server, package):
    server = start_server("none", modules=package)
    add_kernel(server.folder.parent / "data", "quick", 0.002)
    add_kernel(server.folder.parent / "data", "slow", 0.0022)
    return server


@pytest.fixture(scope="module")
def page(browser, server) -> Iterator[Page]:
    """One page for all tests: loading JupyterLab takes seconds."""
    context = browser.new_context(
        viewport={"width": 1440, "height": 1000},
        permissions=["clipboard-read", "clipboard-write"],
    )
    page = context.new_page()
    page.goto(server.page())
    open_panel(page)
    page.select_option(f"{PANEL} select[name=benchmark]", "paced")
    yield page
    context.close()


def run_to_its_end(page):
    job = run(page)
    expect(job).to_have_attribute("data-job-state", "done", timeout=WAIT_MS)
    return job


def test_a_result_shows_its_samples_its_limit_and_a_comparison(page, package):
    fill(page, run_seconds=2)
    job = run(page)
    expect(progress(job).locator(".jp-GpuPerf-left")).to_have_text(
        re.compile(r"up to \d s left"), timeout=WAIT_MS
    )
    expect(job).to_have_attribute("data-job-state", "done", timeout=WAIT_MS)
    samples = job.locator("[data-distribution=pass_seconds]")
    expect(samples.locator("svg rect.jp-mod-band")).to_be_attached()
    expect(samples.locator("caption")).to_have_text("Distribution: Pass, 100 samples")
    expect(job.locator("[data-limit]")).to_contain_text(re.compile(r"50 % of 1\.00 PFLOP/s"))
    expect(job.locator(".jp-GpuPerf-comparison")).to_contain_text(
        "No earlier result to compare with"
    )
    job.locator("summary", has_text="Roofline").click()
    expect(job.locator(".jp-GpuPerf-roofline p")).to_contain_text("compute-bound")

    tell(package, 0.0022)
    job = run_to_its_end(page)
    change = job.locator("[data-change=pass_seconds]")
    expect(change).to_have_attribute("data-verdict", "worse")
    expect(change).to_have_text(
        re.compile(r"Pass: (9|10|11)\.\d+ % slower, intervals don’t overlap")
    )
    expect(job.locator("[data-limit]")).to_contain_text(
        re.compile(r"9\d % of the best on this machine")
    )
    expect(job.locator(".jp-GpuPerf-trend path.jp-mod-point")).to_have_count(2)

    tell(package, 0.002)
    job = run_to_its_end(page)
    rows = job.locator(".jp-GpuPerf-history tr")
    expect(rows).to_have_count(3)
    expect(job.locator("[data-change=pass_seconds]")).to_contain_text("faster")
    rows.last.get_by_role("button", name="Baseline").click()
    expect(job.locator(".jp-GpuPerf-comparison")).to_contain_text("Compared with the baseline of")
    expect(job.locator("[data-change=pass_seconds]")).to_have_text("Pass: no difference")
    rows.nth(1).get_by_role("button", name="Compare with").press("Enter")
    expect(job.locator(".jp-GpuPerf-comparison")).to_contain_text(
        "Compared with the selected result of"
    )

    job.get_by_role("button", name="Copy as Markdown").click()
    expect(job.get_by_role("status")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert re.search(r"^\| Pass \| (2\.\d+|1\.9\d+) ms \| \[.*\] \| 100 \|", copied, re.MULTILINE)
    with page.expect_download() as download:
        job.get_by_role("button", name="CSV").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert lines[0] == "figure,sample,value"
    assert len(lines) == 101


def test_a_queued_job_shows_its_position_and_what_is_before_it(page, server):
    fill(page, run_seconds=300)
    first = run(page)
    second = run(page)
    expect(progress(second)).to_contain_text("Queue position 1, after paced")
    for job in (second, first):
        progress(job).get_by_role("button", name="Cancel").click()
        expect(job).to_have_attribute("data-job-state", "cancelled")


def test_two_kernels_are_compared_in_alternation(page):
    form = page.locator("[data-form=suite]")
    if form.get_attribute("open") is None:  # the panel remembers open folds
        form.locator("> summary").click()
    form.locator("select[name=suite_kernel]").select_option("quick")
    form.locator("select[name=suite_other]").select_option("slow")
    form.locator("input[name=rounds]").fill("0")
    expect(form.get_by_role("alert")).to_have_text("Enter a number from 1 to 50.")
    expect(form.get_by_role("button", name="Run suite")).to_be_disabled()
    form.locator("input[name=rounds]").fill("3")
    form.locator("summary", has_text="benchmarks").click()
    form.get_by_role("button", name="None").click()
    form.get_by_label("Paced").check()
    form.get_by_role("button", name="Run suite").click()
    suite = page.locator("[data-suite]")
    expect(suite).to_have_attribute("data-job-state", "done", timeout=WAIT_MS)
    expect(suite).to_contain_text("Quick ⇄ Slow")
    expect(suite).to_contain_text("3 of 3 rounds")
    expect(suite.locator("[data-summary]")).to_have_text(
        "0 better, 1 worse, 0 no difference, 0 inconclusive"
    )
    change = suite.locator("[data-change=pass_seconds]")
    expect(change).to_contain_text(re.compile(r"paced · Pass: (9|10|11)\.\d+ % slower"))
    expect(change.get_by_text("The pace is set by a test.")).to_be_visible()
    suite.locator("summary", has_text="1 environment difference").click()
    expect(suite).to_contain_text("0.002 → 0.0022")
    # The suite's jobs are not listed separately.
    expect(page.locator(".jp-GpuPerf-job").first).to_have_attribute("data-suite", re.compile("."))
    with page.expect_download() as download:
        suite.get_by_role("link", name="Save as HTML").click()
    saved = Path(download.value.path()).read_text()
    assert "Slow vs. Quick: 0 better, 1 worse" in saved
    # In a narrow side bar nothing is wider than the bar.
    width = page.evaluate(
        """() => {
            const content = document.querySelector('#jp-gpuperf-panel .jp-GpuPerf-content');
            content.style.width = '250px';
            const width = content.scrollWidth;
            content.style.width = '';
            return width;
        }"""
    )
    assert width <= 250
