"""The routes of jobs know those that kernels report, too."""

from __future__ import annotations

import time

from jupyter_gpuperf.jobs.job import Job, new_record


async def test_a_reported_job_is_listed_and_can_be_cancelled(jp_serverapp, jp_fetch, get, refusal):
    extension = jp_serverapp.extension_manager.extension_apps["jupyter_gpuperf"]
    services = next(iter(extension)).services
    asked = []
    known = new_record(
        "tune", {}, created_seconds=time.time(), state="running", progress_message="2 workers"
    )
    services.jobs.add(Job(record=known, stop=lambda: asked.append(True)))
    (listed,) = (await get("jobs"))["jobs"]
    assert (await get("jobs", listed["id"]))["progress_message"] == "2 workers"
    await jp_fetch("gpuperf", "jobs", listed["id"], method="DELETE")
    assert asked
    assert (await refusal("jobs", "told-99"))[0] == 404
