"""``GET results``: what was kept, by whichever process."""

from __future__ import annotations

import pytest
from measured import measured


@pytest.fixture
def store(jp_serverapp, monkeypatch, tmp_path):
    (app,) = jp_serverapp.extension_manager.extension_apps["jupyter_gpuperf"]
    store = app.services.results
    store.path = tmp_path / "results"
    return store


async def test_results_come_newest_first_and_by_benchmark(get, store):
    assert (await get("results"))["results"] == []
    for benchmark in ("compute", "launch", "compute"):
        store.add(measured(benchmark=benchmark), 0.0)
    assert [each["id"] for each in (await get("results"))["results"]] == [3, 2, 1]
    (launch,) = (await get("results", benchmark="launch"))["results"]
    assert launch["result"]["figures"]["pass_seconds"]["value"] == 1.0
    assert len((await get("results", limit="2"))["results"]) == 2
    assert (await get("results", "2")) == launch


async def test_a_number_that_is_not_there_and_a_limit_that_cannot_be_are_refused(refusal, store):
    status, error = await refusal("results", "77")
    assert (status, error["code"]) == (404, "unknown_result")
    status, error = await refusal("results", params={"limit": "0"})
    assert status == 400
