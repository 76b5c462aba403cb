"""The panel behind proxies, below any base URL, in several tabs, and for users with read access only."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect
from test_lab import PANEL, fill, open_panel, run
from tls_proxy import proxied

pytestmark = pytest.mark.ui

FIGURE = re.compile(r"^\d[\d.]* of 700 W$")


def connection_is(page: Page, connection: str) -> None:
    expect(page.locator(".jp-GpuPerf-status")).to_have_attribute("data-connection", connection)


def power(page: Page) -> Locator:
    return page.locator(".jp-GpuPerf-card [data-metric=power_watts] .jp-GpuPerf-figure").first


def values_change(page: Page) -> None:
    expect(power(page)).to_have_text(FIGURE)
    before = power(page).inner_text()
    expect(power(page)).not_to_have_text(before, timeout=60_000)


def port_of(server) -> int:
    return int(re.search(r":(\d+)/", server.url)[1])


def test_behind_a_proxy_without_websockets_the_panel_asks_by_rest_and_says_so(
    start_server, open_page, packaged_recordings
):
    server = start_server(
        f"replay:{packaged_recordings[0]}", options=["--ServerApp.trust_xheaders=True"]
    )
    with proxied(port_of(server)) as proxy:
        page = open_page(f"{proxy.url}/user/u1/lab?token={server.token}", ignore_https_errors=True)
        open_panel(page)
        connection_is(page, "polling")
        expect(page.locator(".jp-GpuPerf-trouble")).to_have_text(
            "No live connection; polling the server"
        )
        expect(page.locator(".jp-GpuPerf-status")).to_have_attribute("data-stale", "false")
        values_change(page)
        assert proxy.refused_count >= 2
        fill(page, items=64, batch_size=16, workers=0, time_limit_seconds=1)
        expect(run(page)).to_have_attribute("data-job-state", "done", timeout=60_000)
        page.context.close()


def test_several_tabs_are_live_at_once_and_one_that_closes_disturbs_no_other(lab, open_page):
    first = open_page(lab.page())
    tabs = [first]
    for number in range(2):
        tab = first.context.new_page()
        tab.goto(lab.page(f"lab/workspaces/tab{number}"))
        tabs.append(tab)
    for tab in tabs:
        if not tab.locator(PANEL).is_visible():
            open_panel(tab)
        connection_is(tab, "live")
    tabs.pop().close()
    for tab in tabs:
        connection_is(tab, "live")
        values_change(tab)


@pytest.mark.parametrize("base_url", ["/", "/a/b/"])
def test_any_base_url_will_do(start_server, open_page, packaged_recordings, base_url):
    server = start_server(f"replay:{packaged_recordings[0]}", base_url=base_url)
    page = open_page(server.page())
    open_panel(page)
    connection_is(page, "live")
    expect(power(page)).to_have_text(FIGURE)


READ_ONLY = '''
from jupyter_server.auth.authorizer import Authorizer


class ReadOnly(Authorizer):
    """Lets everybody look, and nobody do anything."""

    def is_authorized(self, handler, user, action, resource):
        return action == "read"
'''


def test_who_may_only_look_sees_the_readings_and_is_told_why_nothing_runs(
    start_server, open_page, packaged_recordings, tmp_path
):
    (tmp_path / "read_only.py").write_text(READ_ONLY)
    server = start_server(
        f"replay:{packaged_recordings[0]}",
        options=["--ServerApp.authorizer_class=read_only.ReadOnly"],
        modules=tmp_path,
    )
    page = open_page(server.page())
    open_panel(page)
    connection_is(page, "live")
    expect(power(page)).to_have_text(FIGURE)
    page.locator(".jp-GpuPerf-formHead button").click()
    refusal = page.locator(".jp-GpuPerf-failure")
    expect(refusal).to_have_attribute("data-error", "forbidden")
    expect(refusal).to_contain_text("Your account may not do this on this server.")
    expect(refusal).to_contain_text("Ask the server's administrator")
    assert server.get("gpuperf/jobs")["jobs"] == []
