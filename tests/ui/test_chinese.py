"""JupyterLab in Chinese: no text of the extension stays English."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect
from test_lab import PANEL, open_panel
from test_notebooks_and_alerts import driver  # noqa: F401  (a fixture)

pytestmark = pytest.mark.ui

ENGLISH = re.compile(r"\b[A-Za-z]{2,}(?: [a-z][a-z']+){2,}")
"""Three English words in a row: not a name, a unit, or a quoted shell command."""
QUOTED = ("sudo nvidia-smi", "jupyter lab")

SAID = """root => {
    // What is to be typed is no sentence.
    const typed = [...root.querySelectorAll('pre')].map(each => each.innerText);
    const texts = [typed.reduce((text, each) => text.replace(each, ''), root.innerText)];
    for (const element of root.querySelectorAll('*')) {
        for (const name of ['title', 'aria-label', 'aria-description', 'placeholder']) {
            texts.push(element.getAttribute(name) ?? '');
        }
    }
    return texts;
}"""


@pytest.fixture(scope="module")
def page(browser, start_server, driver) -> Page:  # noqa: F811
    """JupyterLab in Chinese, with an alert."""
    driver.set(used_bytes=84_000_000_000)
    server = start_server(
        "nvml",
        modules=driver.folder,
        lab_settings={"@jupyterlab/translation-extension:plugin": {"locale": "zh_CN"}},
    )
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    page = context.new_page()
    page.goto(server.page())
    open_panel(page)
    yield page
    context.close()
    driver.set(used_bytes=13_200_000_000)


def test_headings_and_tiles_are_in_chinese(page):
    headings = page.locator(f"{PANEL} h3")
    expect(headings.filter(has_text=re.compile("^设备$"))).to_be_visible()
    expect(headings.filter(has_text="笔记本与进程")).to_be_visible()
    expect(headings.filter(has_text="基准测试")).to_be_visible()
    tile = page.locator(f"{PANEL} .jp-GpuPerf-tile[data-metric=memory_used_bytes]").first
    expect(tile).to_contain_text("显存")
    expect(tile).to_contain_text("78.2 / 80 GiB")


def test_a_sentence_of_the_server_is_in_chinese_with_its_figures(page):
    alert = page.locator(f"{PANEL} [data-alert=memory_nearly_full]")
    expect(alert).to_contain_text("GPU 0：显存即将用尽：78.2 / 79.6 GiB。", timeout=15_000)


def test_the_status_bar_is_in_chinese(page):
    item = page.locator(".jp-GpuPerf-statusItem")
    expect(item).to_contain_text("78.2 / 80 GiB")
    expect(item).to_contain_text("另有 1 块")
    title = re.compile(r"1 条警报\nGPU 0：显存即将用尽.*忙碌 63 %", re.DOTALL)
    expect(item.locator("button")).to_have_attribute("title", title)


def test_no_english_sentence_is_left_in_the_panel(page):
    note = page.locator(f"{PANEL} [data-section=environment] > summary .jp-GpuPerf-note")
    expect(note).to_contain_text("项检查", timeout=60_000)
    for fold in page.locator(f"{PANEL} summary").all():
        if fold.evaluate("each => !each.parentElement.open"):
            fold.click()
    chosen = page.locator(f"{PANEL} select[name=benchmark]")
    texts = []
    for name in [option.get_attribute("value") for option in chosen.locator("option").all()]:
        chosen.select_option(name)
        texts += page.locator(PANEL).evaluate(SAID)
    texts += page.locator(".jp-GpuPerf-statusItem").evaluate(SAID)
    assert any("Tensor Core 偏好的布局" in text for text in texts)  # the folds are open
    left = {found[0] for text in texts for found in ENGLISH.finditer(text)}
    assert {each for each in left if not each.startswith(QUOTED)} == set()


def test_menu_and_settings_are_in_chinese(page):
    page.get_by_role("menuitem", name="查看", exact=True).click()
    menu = page.locator(".lm-Menu")
    expect(menu).to_contain_text("GPU 性能")
    expect(menu).to_be_focused()  # a moment after it is drawn; before, it takes no key
    page.keyboard.press("Escape")
    expect(menu).to_have_count(0)
    page.keyboard.press("Control+,")
    editor = page.locator("#setting-editor")
    editor.locator("input[type=search], input[type=text], .jp-FilterBox input").first.fill("GPU")
    editor.get_by_text("GPU 性能", exact=True).first.click()
    for words in ("更新间隔（毫秒）", "状态栏指标", "警报通知", "状态栏阈值"):
        expect(editor).to_contain_text(words)
    expect(editor).not_to_contain_text("Update interval")
