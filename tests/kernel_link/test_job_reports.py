"""Jobs that a kernel runs itself: reported to the server, shown and cancelled like any other."""

from __future__ import annotations

import asyncio
import json
import os
import time

import pytest

from jupyter_gpuperf.client.in_process_progress import ReportingView, in_process_job
from jupyter_gpuperf.client.speedup_as_result import report_so_far
from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.jobs.job import new_record
from jupyter_gpuperf.jobs.kernel_jobs import KernelJobs
from jupyter_gpuperf.jobs.manager import JobManager
from jupyter_gpuperf.kernel_link.address import server_file_name
from jupyter_gpuperf.kernel_link.job_reporter import JobReporter
from jupyter_gpuperf.kernel_link.link import ServerLink
from jupyter_gpuperf.kernel_link.listener import KernelListener
from jupyter_gpuperf.kernel_link.router import KernelSession
from jupyter_gpuperf.levers.outcome import LeverOutcome
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.schemas import SocketError, encode
from jupyter_gpuperf.schemas.kernel_link import Cancel, JobReport, RunRequest


def a_job(**changes):
    now = time.time()
    running = {
        "id": "here",
        "state": "running",
        "progress_ratio": 0.5,
        "progress_message": "2 workers",
        "created_seconds": now,
        "started_seconds": now,
    }
    return new_record("tune", {}, **{**running, **changes})


@pytest.fixture
def manager(tmp_path):
    manager = JobManager(devices=list, deadline_seconds=60, lock_directory=tmp_path)
    yield manager
    manager.close()


@pytest.fixture
def jobs(manager):
    return KernelJobs(manager)


@pytest.fixture
def served(jobs, tmp_path, jp_asyncio_loop):
    handlers = {RunRequest: jobs.run, Cancel: jobs.cancel, JobReport: jobs.report}
    served = KernelListener(handlers, runtime_directory=tmp_path)
    jp_asyncio_loop.run_until_complete(served.start())
    yield served
    jp_asyncio_loop.run_until_complete(served.stop())


@pytest.fixture
def reporter(served, tmp_path):
    address = json.loads((tmp_path / server_file_name(os.getpid())).read_bytes())["socket"]
    link = ServerLink(lambda: address)
    yield JobReporter(link)
    link.close()


async def until(condition):
    async def wait():
        while not condition():
            await asyncio.sleep(0.01)

    await asyncio.wait_for(wait(), 30)


def states(manager):
    return [each.state for each in manager.list()]


class NoView:
    def show(self, job):
        pass

    def cancel_wanted(self):
        return False

    def end(self, final, words):
        pass


async def test_the_panel_sees_a_tuning_with_its_trials_and_can_cancel_it(reporter, manager):
    view = ReportingView(NoView(), {"loader": "train_loader"}, reporter)
    view.add("4 workers", {"value": 9.0, "low": 8.0, "high": 10.0})
    view.show(a_job())
    await until(manager.list)

    (job,) = manager.list()
    assert job.id != "here"
    assert job.parameters == {"loader": "train_loader"}
    assert job.result.figures["4 workers_batches_per_second"].value == 9.0
    assert not view.cancel_wanted()

    manager.cancel(job.id)
    await until(view.cancel_wanted)
    assert states(manager) == ["running"]  # until its kernel says otherwise
    view.report_end(a_job(state="cancelled"), None)
    await until(lambda: states(manager) == ["cancelled"])


async def test_the_panel_gets_what_a_search_found_at_once_and_keeps_it_when_cancelled(
    reporter, manager
):
    view = ReportingView(NoView(), {}, reporter)
    view.show(a_job())
    await until(manager.list)
    levers = [LeverOutcome("tf32", False, Message("It is slower."))]
    view.set_speedup(report_so_far(levers))
    view.show(a_job(progress_ratio=0.5))  # within the time in which others are left out
    await until(lambda: manager.list()[0].result is not None)
    assert manager.list()[0].result.speedup.levers[0].why == "It is slower."
    view.report_end(a_job(state="cancelled"), None)
    await until(lambda: states(manager) == ["cancelled"])
    assert manager.list()[0].result.speedup.levers[0].name == "tf32"


@pytest.mark.parametrize(
    ("error", "state", "message"),
    [
        (GpuPerfError("no_items", "The dataset is empty."), "failed", "The dataset is empty."),
        (TypeError("no such operator"), "failed", "TypeError: no such operator"),
        (KeyboardInterrupt(), "cancelled", None),
    ],
)
async def test_what_failed_in_the_notebook_is_headed_failed(
    reporter, manager, error, state, message
):
    view = ReportingView(NoView(), {}, reporter)
    with pytest.raises(BaseException), in_process_job("tune", view, display_result=False):  # noqa: B017, PT011, PT012
        view.show(a_job())
        raise error
    await until(lambda: states(manager) == [state])
    assert getattr(manager.list()[0].error, "message", None) == message


async def test_a_kernel_that_hangs_up_leaves_nothing_running(reporter, manager):
    reporter.report(a_job())
    await until(manager.list)
    reporter._link.close()
    await until(lambda: states(manager) == ["failed"])
    assert manager.list()[0].ended_seconds
    assert "kernel ended" in manager.list()[0].error.message


async def test_what_the_server_refuses_does_not_cancel_the_job(reporter, manager):
    reporter._link.send(SocketError(code="odd", message="x" * 100_000, hint=""))  # no kernel's word
    await asyncio.sleep(0.1)
    reporter.report(a_job())
    await until(manager.list)
    assert not reporter.cancel_wanted()


async def test_a_server_that_came_back_hears_of_the_job_again(reporter, served, manager):
    reporter.report(a_job())
    await until(manager.list)
    await served.stop()
    await until(lambda: states(manager) == ["failed"])
    await served.start()

    def reported():
        reporter.cancel_wanted()
        reporter.report(a_job())
        return "running" in states(manager)

    await until(reported)


def test_without_a_server_nothing_is_reported_and_nothing_goes_wrong(tmp_path):
    for found in (None, tmp_path / "nobody.sock"):
        reporter = JobReporter(ServerLink(lambda found=found: found))
        reporter.report(a_job())
        assert not reporter.cancel_wanted()
        reporter.end(a_job())


class Session(KernelSession):
    """A kernel without a socket."""

    def __init__(self):
        super().__init__({}, 1, lambda: None)


def test_one_list_keeps_both_kinds_by_the_same_rules(manager, jobs, monkeypatch):
    monkeypatch.setattr("jupyter_gpuperf.jobs.registry.KEPT_JOBS", 3)
    running = Session()
    jobs.report(running, JobReport(job=a_job(created_seconds=1.0)))
    for number in range(5):
        jobs.report(Session(), JobReport(job=a_job(state="done", created_seconds=10.0 + number)))
    # The newest first, the last that ended, and what still runs however old it is.
    assert [job.created_seconds for job in manager.list()] == [14.0, 13.0, 12.0, 1.0]
    assert len({job.id for job in manager.list()}) == 4


def test_a_kernel_can_speak_of_its_own_job_alone(manager, jobs):
    one, other = Session(), Session()
    jobs.report(one, JobReport(job=a_job()))
    (first,) = manager.list()
    jobs.report(other, JobReport(job=a_job(id=first.id, state="failed")))
    assert sorted(states(manager)) == ["failed", "running"]
    jobs.report(one, JobReport(job=a_job(id="another", progress_ratio=0.75)))
    assert manager.get(first.id).progress_ratio == 0.75


def test_one_that_ended_stays_as_it_is(manager, jobs):
    session = Session()
    jobs.report(session, JobReport(job=a_job(state="done")))
    jobs.report(session, JobReport(job=a_job(state="running")))
    assert states(manager) == ["done"]


def test_only_the_server_says_what_a_job_belongs_to_and_no_job_is_of_the_future(manager, jobs):
    later = dict.fromkeys(("created_seconds", "started_seconds"), time.time() + 1e6)
    jobs.report(Session(), JobReport(job=a_job(suite="s", waits_for=["x"], **later)))
    (job,) = manager.list()
    assert (job.suite, job.waits_for) == (None, [])
    assert job.created_seconds <= time.time()
    assert job.started_seconds <= time.time()


def test_one_that_ended_is_not_asked_to_stop(manager, jobs):
    session = Session()
    jobs.report(session, JobReport(job=a_job(state="done")))
    (job,) = manager.list()
    assert manager.cancel(job.id).state == "done"
    assert session.next_unsent() is None


def test_a_kernel_that_reads_nothing_is_asked_once(manager, jobs):
    session = Session()
    jobs.report(session, JobReport(job=a_job()))
    (job,) = manager.list()
    for _ in range(1000):
        manager.cancel(job.id)
    assert session.next_unsent() == encode(Cancel()) + b"\n"
    assert session.next_unsent() is None
