"""Test the scrape job, the dashboard and the alerts of the docs with a real Prometheus."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPClientError

DOCS = Path(__file__).parents[3] / "docs" / "monitoring"
PATIENCE_SECONDS = 30
RATE = "gpuperf_host_disk_read_bytes_per_second"
"""A metric that does not exist before the second tick."""


def program(name: str) -> str:
    """Return a program's path: installed next to Python by scripts/test-integration, or else on the PATH."""
    named = os.environ.get("GPUPERF_PROMETHEUS")
    folders = [str(Path(named).parent)] if named else []
    search = os.pathsep.join([*folders, str(Path(sys.executable).parent), os.environ["PATH"]])
    found = shutil.which(name, path=search)
    assert found, f"there is no {name}: scripts/test-integration brings one on Debian and Ubuntu"
    return found


def promtool(*arguments: str, text: str | None = None) -> str:
    found = subprocess.run(
        [program("promtool"), *arguments],
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    # 3: valid, with linter messages
    assert found.returncode in (0, 3), found.stdout
    return found.stdout


@pytest.fixture
def jp_base_url() -> str:
    """Return a base URL as on a hub. It has no %40, because Prometheus can't request such a path."""
    return "/user/alice/"


@pytest.fixture
def configuration(tmp_path, jp_http_port, jp_base_url, jp_serverapp) -> Path:
    """The shipped configuration with this server's address."""
    text = (DOCS / "prometheus.yml").read_text()
    for shipped, here in {
        "localhost:8888": f"127.0.0.1:{jp_http_port}",
        "metrics_path: /gpuperf": f"metrics_path: {jp_base_url}gpuperf",
        "scrape_interval: 15s": "scrape_interval: 500ms",
    }.items():
        assert shipped in text
        text = text.replace(shipped, here)
    (tmp_path / "gpuperf-token").write_text(jp_serverapp.identity_provider.token)
    path = tmp_path / "prometheus.yml"
    path.write_text(text)
    return path


@pytest.fixture
def prometheus_url(configuration, tmp_path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    with (tmp_path / "prometheus.log").open("w") as log:
        process = subprocess.Popen(
            [
                program("prometheus"),
                f"--config.file={configuration}",
                f"--storage.tsdb.path={tmp_path / 'data'}",
                f"--web.listen-address={address}",
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=tmp_path,
        )
    yield f"http://{address}/api/v1/"
    process.terminate()
    process.wait(20)
    print((tmp_path / "prometheus.log").read_text())


@pytest.fixture
def ask(prometheus_url) -> Callable[..., Awaitable[list]]:
    """Query Prometheus' API; an error response raises an error with its text."""

    async def ask(path: str, **parameters: str) -> list:
        url = f"{prometheus_url}{path}?{urlencode(parameters)}"
        try:
            response = await AsyncHTTPClient().fetch(url)
        except HTTPClientError as error:
            body = error.response.body.decode() if error.response else ""
            raise AssertionError(f"{parameters}: {body or error}") from error
        data = json.loads(response.body)["data"]
        return data["result"] if isinstance(data, dict) else data

    return ask


@pytest.fixture
def scraped(ask, prometheus_url, jp_fetch):
    """Wait until Prometheus has scraped each metric twice, so that rates exist; return the metrics' names."""

    async def wait_for(condition: Callable[[], Awaitable[bool]]) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            with contextlib.suppress(AssertionError, OSError):  # still starting
                if await condition():
                    return
            await asyncio.sleep(0.1)
        targets = (await AsyncHTTPClient().fetch(f"{prometheus_url}targets")).body.decode()
        pytest.fail(f"Prometheus did not get what it should: {targets}")

    async def scrapes() -> float:
        (total,) = await ask("query", query='sum_over_time(up{job="gpuperf"}[5m])')
        return float(total["value"][1])

    async def scraped() -> set[str]:
        names = set()

        async def has_all() -> bool:
            text = (await jp_fetch("gpuperf", "metrics")).body.decode()
            names.update(re.findall(r"^# TYPE (\w+)", text, flags=re.MULTILINE))
            return RATE in names and names <= set(await ask("label/__name__/values"))

        await wait_for(has_all)
        enough = await scrapes() + 2

        async def has_more() -> bool:
            return await scrapes() >= enough

        await wait_for(has_more)
        return names

    return scraped


def dashboard() -> dict:
    return json.loads((DOCS / "grafana-dashboard.json").read_text())


def expressions(panels: list[dict]) -> list[str]:
    found = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    assert len(found) > 40
    return found


def as_grafana_sends(expression: str) -> str:
    for variable, value in {
        "$__rate_interval": "1m",
        "$hostname": ".*",
        "$gpu": ".*",
    }.items():
        expression = expression.replace(variable, value)
    assert "$" not in expression
    return expression


async def test_the_job_and_the_dashboard_of_the_docs_work(scraped, ask, configuration):
    assert "SUCCESS" in promtool("check", "config", str(configuration))
    present = await scraped() | {"up"}
    power = await ask("query", query="gpuperf_power_watts")
    assert {each["metric"]["modelName"] for each in power} == {"NVIDIA H100 80GB HBM3"}
    assert len(power) == 2
    assert all(0 < float(each["value"][1]) < 710 for each in power)

    answered = 0
    for expression in expressions(dashboard()["panels"]):
        found = await ask("query", query=as_grafana_sends(expression))
        if set(re.findall(r"\b(?:gpuperf_\w+|up)\b", expression)) <= present:
            assert found, expression
            answered += 1
    assert answered >= 20
    for variable in dashboard()["templating"]["list"]:
        if variable["type"] == "query":
            series, label = re.fullmatch(
                r"label_values\((.+), (\w+)\)", as_grafana_sends(variable["definition"])
            ).groups()
            assert await ask(f"label/{label}/values", **{"match[]": series})


async def test_promtool_finds_nothing_but_the_labels_that_dcgm_exporter_chose(jp_fetch):
    text = (await jp_fetch("gpuperf", "metrics")).body.decode()
    found = promtool("check", "metrics", text=text).splitlines()
    assert [
        line for line in found if "label names should be written in 'snake_case'" not in line
    ] == []


def test_the_alerts_of_the_docs_are_rules(tmp_path):
    text = (DOCS / "prometheus.md").read_text()
    block = re.search(r"^    groups:\n(?:(?:    .*)?\n)*", text, flags=re.MULTILINE)[0]
    rules = tmp_path / "rules.yml"
    rules.write_text(textwrap.dedent(block))
    assert re.search(r"SUCCESS: [1-9]\d* rules found", promtool("check", "rules", str(rules)))
