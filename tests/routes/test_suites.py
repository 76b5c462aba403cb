"""``suites`` and what a result is held against, over REST."""

from __future__ import annotations

import asyncio
import json

import pytest
from measured import measured

TINY = {
    "benchmarks": ["io"],
    "rounds": 1,
    "parameters": {"io": {"size_mib": 16, "time_limit_seconds": 1}},
}


@pytest.fixture
def store(jp_serverapp, tmp_path):
    (app,) = jp_serverapp.extension_manager.extension_apps["jupyter_gpuperf"]
    store = app.services.results
    store.path = tmp_path / "results"
    return store


async def test_a_suite_over_two_kernels_becomes_a_page(jp_fetch, get, store):
    body = json.dumps({**TINY, "kernel_names": ["python3", "python3"]})
    response = await jp_fetch("gpuperf", "suites", method="POST", body=body)
    assert response.code == 202
    suite = json.loads(response.body)
    for _ in range(600):
        (listed,) = (await get("suites"))["suites"]
        if listed["state"] not in ("queued", "running"):
            break
        await asyncio.sleep(0.1)
    assert listed["id"] == suite["id"]
    assert listed["state"] == "done"
    report = await get("suites", suite["id"])
    assert report["comparison"]["rounds"] == 1
    assert {each["verdict"] for each in report["comparison"]["figures"]} == {"unknown"}
    page = await jp_fetch("gpuperf", "suites", suite["id"], "page")
    assert "attachment" in page.headers["Content-Disposition"]
    assert page.headers["Content-Security-Policy"].startswith("sandbox")
    assert page.body.startswith(b"<!doctype html>")
    assert b"Python 3 (ipykernel) (1)" in page.body
    assert b"Only one round" in page.body


async def test_a_suite_is_cancelled(jp_fetch, get, store):
    body = {**TINY, "parameters": {"io": {"size_mib": 16, "time_limit_seconds": 600}}}
    response = await jp_fetch("gpuperf", "suites", method="POST", body=json.dumps(body))
    suite = json.loads(response.body)
    await jp_fetch("gpuperf", "suites", suite["id"], method="DELETE")
    for _ in range(200):
        state = (await get("suites", suite["id"]))["suite"]["state"]
        if state == "cancelled":
            break
        await asyncio.sleep(0.05)
    assert state == "cancelled"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"benchmarks": ["magic"]}, 404, "unknown_benchmark"),
        ({"kernel_names": ["magic"]}, 404, "unknown_kernel"),
        ({"kernel_names": ["python3"] * 3}, 400, "too_many_kernels"),
        ({"rounds": 1000}, 400, "parameter_out_of_range"),
        ({"round": 1}, 400, "invalid_request"),
    ],
)
async def test_what_cannot_be_is_refused(refusal, store, body, status, code):
    found, error = await refusal("suites", method="POST", body=json.dumps(body))
    assert (found, error["code"]) == (status, code)
    assert error["hint"]


async def test_an_unknown_suite_is_not_found(refusal, store):
    for path, method in (
        (["suites", "x"], "GET"),
        (["suites", "x"], "DELETE"),
        (["suites", "x", "page"], "GET"),
    ):
        status, error = await refusal(*path, method=method)
        assert (status, error["code"]) == (404, "unknown_suite")


async def test_a_result_is_compared_and_made_the_baseline(jp_fetch, get, refusal, store):
    for value in (1.0, 1.5, 2.0):
        store.add(measured(value), value)
    comparison = await get("results", "3", "comparison")
    assert comparison["against"]["id"] == 2
    assert [each["id"] for each in comparison["history"]] == [3, 2, 1]
    await jp_fetch("gpuperf", "results", "1", "baseline", method="PUT", body="")
    comparison = await get("results", "3", "comparison")
    assert (comparison["against"]["id"], comparison["against"]["baseline"]) == (1, True)
    assert comparison["figures"][0]["ratio"]["value"] == 2.0
    comparison = await get("results", "3", "comparison", **{"with": "2"})
    assert comparison["against"]["id"] == 2
    status, error = await refusal("results", "3", "comparison", params={"with": "77"})
    assert (status, error["code"]) == (404, "unknown_result")
    status, error = await refusal("results", "3", "comparison", params={"with": "x"})
    assert (status, error["code"]) == (400, "parameter_wrong_type")
    status, error = await refusal("results", "77", "baseline", method="PUT", body="")
    assert (status, error["code"]) == (404, "unknown_result")
