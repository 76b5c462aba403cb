"""What a manager remembers, how much it takes, and what listeners hear. See also test_manager.py."""

from __future__ import annotations

import threading

import pytest
from job_tools import NUMBERS, device, follow, request, wait_until

from jupyter_gpuperf.errors import NotFound, Unavailable
from jupyter_gpuperf.jobs.manager import LONGEST_QUEUE
from jupyter_gpuperf.jobs.registry import KEPT_JOBS
from jupyter_gpuperf.schemas import JobRequest


def start_blocker(manager):
    job = manager.submit(request("sleeps"))
    wait_until(lambda: manager.get(job.id).state == "running")
    return job


def test_the_last_50_that_ended_are_kept_beside_those_that_run(manager):
    blocker = start_blocker(manager)
    queued = [manager.submit(request()) for _ in range(KEPT_JOBS + 5)]
    for job in queued:
        manager.cancel(job.id)
    kept = [job.id for job in manager.list()]
    assert kept == [*(job.id for job in reversed(queued[5:])), blocker.id]
    with pytest.raises(NotFound):
        manager.get(queued[0].id)


def test_a_queue_that_is_full_refuses_more_until_one_is_cancelled(manager):
    start_blocker(manager)
    queued = [manager.submit(request()) for _ in range(LONGEST_QUEUE)]
    with pytest.raises(Unavailable) as refusal:
        manager.submit(request())
    assert refusal.value.code == "queue_full"
    manager.cancel(queued[50].id)
    assert manager.submit(request()).state == "queued"


def test_jobs_of_one_device_run_in_the_order_they_were_asked_for(manager):
    blocker = start_blocker(manager)
    jobs = [manager.submit(request()) for _ in range(3)]
    manager.cancel(blocker.id)
    wait_until(lambda: manager.get(jobs[-1].id).state == "done")
    started = [manager.get(job.id).started_seconds for job in jobs]
    ended = [manager.get(job.id).ended_seconds for job in jobs]
    assert started == sorted(started)
    assert all(end <= start for end, start in zip(ended, started[1:], strict=False))


def test_a_waiting_job_names_those_before_it(manager):
    blocker = start_blocker(manager)
    second, third = (manager.submit(request()) for _ in range(2))
    assert second.waits_for == [blocker.id]
    assert third.waits_for == [blocker.id, second.id]
    manager.cancel(second.id)
    assert manager.get(third.id).waits_for == [blocker.id]
    assert manager.get(blocker.id).waits_for == []


def test_a_job_without_a_wish_waits_for_the_same_device_named(make_manager):
    manager = make_manager(devices=lambda: [device("GPU-A")])
    start_blocker(manager)
    assert manager.submit(request(device="GPU-A")).progress_message


def test_the_environment_may_choose_another_device(make_manager):
    manager = make_manager(devices=lambda: [device("GPU-A"), device("GPU-B", 1)])
    job = manager.submit(request(), environment={"CUDA_VISIBLE_DEVICES": "1"})
    assert job.device == "GPU-B"


def test_a_listener_hears_the_present_state_at_once_and_the_end_last(manager):
    job = manager.submit(request("sleeps"))
    heard = []
    manager.subscribe(job.id, heard.append)
    assert len(heard) >= 1
    wait_until(lambda: heard[-1].progress_message == "sleeping")
    manager.cancel(job.id)
    wait_until(lambda: heard[-1].state == "cancelled")
    assert [each.progress_ratio for each in heard] == sorted(each.progress_ratio for each in heard)


def test_a_listener_hears_the_last_of_what_came_at_once(manager):
    job = manager.submit(request("reports_twice_at_once_and_sleeps"))
    heard = []
    manager.subscribe(job.id, heard.append)
    wait_until(lambda: heard[-1].progress_message == "second")


def test_a_listener_hears_news_although_the_clock_was_set_back(make_manager):
    hours = iter(range(100, 0, -1))
    manager = make_manager(clock=lambda: 3600.0 * next(hours, 0))
    job = manager.submit(request("sleeps"))
    heard = []
    manager.subscribe(job.id, heard.append)
    wait_until(lambda: heard[-1].progress_message == "sleeping")


def test_one_who_unsubscribed_hears_nothing_more_and_may_do_so_twice(manager):
    job = start_blocker(manager)
    heard = []
    unsubscribe = manager.subscribe(job.id, heard.append)
    unsubscribe()
    unsubscribe()
    count = len(heard)
    manager.cancel(job.id)
    wait_until(lambda: manager.get(job.id).state == "cancelled")
    assert len(heard) == count


def test_a_listener_of_a_job_that_ended_hears_its_end(manager):
    done = follow(manager, manager.submit(request()).id)[-1]
    heard = []
    manager.subscribe(done.id, heard.append)
    assert heard == [done]


def test_closing_twice_at_once_returns_twice(manager):
    start_blocker(manager)
    threads = [threading.Thread(target=manager.close) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert not any(thread.is_alive() for thread in threads)


def test_closing_cancels_more_jobs_than_are_remembered(manager):
    start_blocker(manager)
    for _ in range(KEPT_JOBS + 20):
        manager.submit(request())
    manager.close()
    assert {job.state for job in manager.list()} == {"cancelled"}
    assert len(manager.list()) <= KEPT_JOBS


def test_a_manager_that_was_never_used_closes(manager):
    manager.close()


def test_the_times_of_a_job_are_those_of_the_clock(make_manager):
    ticks = iter(range(1_000, 100_000))
    manager = make_manager(clock=lambda: float(next(ticks)))
    job = follow(manager, manager.submit(request()).id)[-1]
    assert 1_000 <= job.created_seconds < job.started_seconds < job.ended_seconds


def test_what_was_asked_for_is_shown_complete(manager):
    asked = JobRequest(
        benchmark="dataloader", parameters={"items": NUMBERS["works"]}, kernel_name="python3"
    )
    job = manager.submit(asked)
    assert job.kernel_name == "python3"
    assert job.parameters["batch_size"] == 64
    assert job.parameters["items"] == NUMBERS["works"]
