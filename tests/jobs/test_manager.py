from __future__ import annotations

import pytest
from job_tools import device, follow, request, wait_until

from jupyter_gpuperf.errors import BadRequest, NotFound, Unavailable
from jupyter_gpuperf.schemas import JobRequest


def ended(manager, job):
    return wait_until(lambda: (i := manager.get(job.id)).state not in ("queued", "running") and i)


def running(manager, job):
    return wait_until(lambda: manager.get(job.id).state == "running")


def test_a_job_goes_from_queued_to_done_and_every_step_is_told(manager):
    heard = follow(manager, manager.submit(request()).id)
    states = [job.state for job in heard]
    assert states == sorted(states, key=["queued", "running", "done"].index)
    assert heard[-1].state == "done"
    assert heard[-1].progress_ratio == 1.0
    assert heard[-1].result.figures["batch_seconds"].value == 2.0
    assert heard[-1].error is None
    assert heard[-1].created_seconds <= heard[-1].started_seconds <= heard[-1].ended_seconds


def test_jobs_of_one_device_wait_for_each_other(make_manager):
    manager = make_manager(devices=lambda: [device("GPU-A")])
    first = manager.submit(request("sleeps"))
    running(manager, first)
    second = manager.submit(request())
    assert second.state == "queued"
    assert second.progress_message
    manager.cancel(first.id)
    assert ended(manager, second).state == "done"
    assert manager.get(second.id).started_seconds >= manager.get(first.id).ended_seconds


def test_jobs_of_two_devices_run_beside_each_other(make_manager):
    manager = make_manager(devices=lambda: [device("GPU-A"), device("GPU-B", 1)])
    jobs = [manager.submit(request("sleeps", uuid)) for uuid in ("GPU-A", "GPU-B")]
    for job in jobs:
        running(manager, job)
    assert {job.device for job in jobs} == {"GPU-A", "GPU-B"}


def test_two_servers_do_not_measure_on_one_device(make_manager):
    first, second = make_manager(), make_manager()
    blocker = first.submit(request("sleeps"))
    running(first, blocker)
    job = second.submit(request())
    wait_until(lambda: "another server" in second.get(job.id).progress_message)
    assert second.get(job.id).state == "queued"
    first.cancel(blocker.id)
    assert ended(second, job).state == "done"


def test_a_job_that_waits_for_another_server_can_be_cancelled(make_manager):
    first, second = make_manager(), make_manager()
    running(first, first.submit(request("sleeps")))
    job = second.submit(request())
    wait_until(lambda: second.get(job.id).progress_message)
    second.cancel(job.id)
    assert ended(second, job).state == "cancelled"


def test_a_queued_job_is_cancelled_at_once(manager):
    running(manager, manager.submit(request("sleeps")))
    job = manager.submit(request())
    assert manager.cancel(job.id).state == "cancelled"
    assert manager.get(job.id).started_seconds is None


def test_cancelling_twice_or_after_the_end_changes_nothing(manager):
    done = follow(manager, manager.submit(request()).id)[-1]
    assert manager.cancel(done.id) == done
    job = manager.submit(request("sleeps"))
    running(manager, job)
    manager.cancel(job.id)
    manager.cancel(job.id)
    assert ended(manager, job).state == "cancelled"


def test_cancelling_right_after_the_start_leaves_it_cancelled(manager):
    for _ in range(20):
        job = manager.submit(request("sleeps"))
        manager.cancel(job.id)
        assert ended(manager, job).state == "cancelled"


@pytest.mark.parametrize(
    ("wrong", "error", "code"),
    [
        ({"benchmark": "magic"}, NotFound, "unknown_benchmark"),
        ({"parameters": {"speed": 1}}, BadRequest, "unknown_parameter"),
        ({"parameters": {"workers": "four"}}, BadRequest, "parameter_wrong_type"),
        ({"parameters": {"workers": -1}}, BadRequest, "parameter_out_of_range"),
        ({"device": "GPU-X"}, NotFound, "unknown_device"),
        ({"device": "REPLAY-0"}, BadRequest, "device_is_a_recording"),
    ],
)
def test_what_cannot_be_is_refused_at_once_with_what_to_do(make_manager, wrong, error, code):
    manager = make_manager(devices=lambda: [device("REPLAY-0", replayed=True)])
    with pytest.raises(error) as refusal:
        manager.submit(JobRequest(**{"benchmark": "dataloader", **wrong}))
    assert refusal.value.code == code
    assert refusal.value.hint
    assert manager.list() == []


def test_an_unknown_job_is_not_found(manager):
    for call in (manager.get, manager.cancel):
        with pytest.raises(NotFound) as refusal:
            call("nothing")
        assert refusal.value.code == "unknown_job"


def test_jobs_are_listed_newest_first_and_old_ones_are_forgotten(manager, monkeypatch):
    monkeypatch.setattr("jupyter_gpuperf.jobs.registry.KEPT_JOBS", 3)
    jobs = [manager.submit(request()) for _ in range(6)]
    newest = [job.id for job in reversed(jobs[3:])]
    # A job has ended a moment before older ones are forgotten for it.
    assert wait_until(lambda: [job.id for job in manager.list()] == newest)


def test_a_listener_that_fails_does_not_end_the_job(manager):
    job = manager.submit(request("sleeps"))
    running(manager, job)
    heard = []

    def listener(info):
        heard.append(info)
        if len(heard) > 1:
            raise RuntimeError("a defect elsewhere")

    manager.subscribe(job.id, listener)
    manager.cancel(job.id)
    assert ended(manager, job).state == "cancelled"
    assert len(heard) > 1


def test_closing_ends_everything_and_later_jobs_are_refused(make_manager):
    manager = make_manager(devices=lambda: [device("GPU-A"), device("GPU-B", 1)])
    jobs = [manager.submit(request("sleeps", uuid)) for uuid in ("GPU-A", "GPU-B", "GPU-A")]
    running(manager, jobs[0])
    manager.close()
    assert {manager.get(job.id).state for job in jobs} == {"cancelled"}
    with pytest.raises(Unavailable) as refusal:
        manager.submit(request())
    assert refusal.value.code == "shutting_down"
