"""Suites of the server: jobs in the queue, one suite after the other, that outlive their server."""

from __future__ import annotations

import os
import platform
import sys

import msgspec
import pytest
from job_tools import NUMBERS, request, wait_until
from measured import measured

from jupyter_gpuperf.errors import BadRequest, NotFound, Unavailable
from jupyter_gpuperf.jobs.run_hooks import RunHooks
from jupyter_gpuperf.results.store import ResultStore
from jupyter_gpuperf.schemas import SuiteRequest
from jupyter_gpuperf.suites.manager import SuiteManager
from jupyter_gpuperf.suites.report import build_suite_report
from jupyter_gpuperf.suites.running import Side
from jupyter_gpuperf.suites.store import SuiteStore


@pytest.fixture
def store(tmp_path):
    return ResultStore(tmp_path / "results")


@pytest.fixture
def jobs(make_manager, store):
    return make_manager(run_hooks=RunHooks(store=store))


@pytest.fixture
def suites(jobs, store):
    manager = SuiteManager(jobs=jobs, results=store)
    yield manager
    manager.close()


def sides(*names):
    return [
        Side(kernel_name=name, title=name.title(), interpreter=sys.executable) for name in names
    ]


def asked(act="works", **changes) -> SuiteRequest:
    return SuiteRequest(
        **{
            "benchmarks": ["dataloader"],
            "rounds": 2,
            "parameters": {"dataloader": {"items": NUMBERS[act]}},
            **changes,
        }
    )


def ended(suites, suite):
    return wait_until(
        lambda: (now := suites.get(suite.id)).state not in ("queued", "running") and now
    )


def test_two_kernels_run_as_jobs_by_turns_and_their_results_are_kept(suites, jobs, store):
    suite = ended(suites, suites.start(asked(), sides("old", "new")))
    assert (suite.state, suite.rounds_done, suite.progress_ratio) == ("done", 2, 1.0)
    ran = list(reversed(jobs.list()))
    assert [each.kernel_name for each in ran] == ["old", "new", "new", "old"]
    assert {each.suite for each in ran} == {suite.id}
    assert [each.result_ids for each in suite.sides] == [[1, 4], [2, 3]]
    assert [each.title for each in suite.sides] == ["Old", "New"]
    assert len(store.latest()) == 4
    report = build_suite_report(suite, suites.results_of(suite.id))
    assert report.comparison.rounds == 2
    assert [each.figure for each in report.comparison.figures] == ["batch_seconds"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_a_suite_whose_results_cannot_be_saved_says_so_and_shows_them(tmp_path, make_manager):
    store = ResultStore(tmp_path / "results")
    store.path.symlink_to("/dev/full")
    suites = SuiteManager(jobs=make_manager(run_hooks=RunHooks(store=store)), results=store)
    suite = ended(suites, suites.start(asked(), sides("old")))
    assert (suite.state, suite.error.code) == ("failed", "results_not_writable")
    assert "results_file" in suite.error.hint
    (result,) = build_suite_report(suite, suites.results_of(suite.id)).results
    assert result.figures
    suites.close()


def test_one_kernel_gives_its_rounds_as_one_result_without_samples(suites):
    suite = ended(suites, suites.start(asked(), sides("old")))
    report = build_suite_report(suite, suites.results_of(suite.id))
    assert report.comparison is None
    (result,) = report.results
    assert result.environment["processes_measured"] == 2
    assert result.samples == {"batch_seconds": []}


def test_a_kernel_held_against_itself_has_two_names(suites):
    suite = suites.start(asked(rounds=1), sides("same", "same"))
    assert [each.title for each in suite.sides] == ["Same (1)", "Same (2)"]


def test_cancel_ends_the_running_job_and_all_to_come(suites, jobs):
    first = suites.start(asked("sleeps"), sides("old", "new"))
    second = suites.start(asked(), sides("old"))
    wait_until(lambda: "sleeping" in suites.get(first.id).progress_message)
    assert suites.get(second.id).state == "queued"
    assert suites.cancel(second.id).state == "cancelled"
    suites.cancel(first.id)
    assert ended(suites, first).state == "cancelled"
    assert [each.state for each in jobs.list()] == ["cancelled"]
    assert suites.cancel(first.id).state == "cancelled"


def test_cancelling_its_job_ends_the_suite(suites, jobs):
    suite = suites.start(asked("sleeps"), sides("old"))
    (job,) = wait_until(jobs.list)
    jobs.cancel(job.id)
    assert ended(suites, suite).state == "cancelled"


def test_what_fails_is_left_out_and_said(suites):
    suite = ended(suites, suites.start(asked("exits"), sides("old", "new")))
    assert suite.state == "done"
    (failure,) = suite.sides[0].failures
    assert failure.benchmark == "dataloader"
    assert failure.error.hint
    assert suite.sides[1].failures == []


def test_its_jobs_queue_behind_what_was_asked_for_before(suites, jobs):
    blocker = jobs.submit(request("sleeps"))
    suite = suites.start(asked(rounds=1), sides("old"))
    waiting = wait_until(lambda: [each for each in jobs.list() if each.suite])
    assert waiting[0].waits_for == [blocker.id]
    jobs.cancel(blocker.id)
    assert ended(suites, suite).state == "done"


@pytest.mark.parametrize(
    ("wrong", "error", "code"),
    [
        ({"benchmarks": ["magic"]}, NotFound, "unknown_benchmark"),
        ({"parameters": {"magic": {}}}, NotFound, "unknown_benchmark"),
        ({"parameters": {"dataloader": {"speed": 1}}}, BadRequest, "unknown_parameter"),
        ({"rounds": 0}, BadRequest, "parameter_out_of_range"),
        ({"budget_seconds": 1e9}, BadRequest, "parameter_out_of_range"),
        ({"budget_seconds": float("nan")}, BadRequest, "parameter_out_of_range"),
        ({"device": "GPU-X"}, NotFound, "unknown_device"),
    ],
)
def test_what_cannot_be_is_refused_at_once_with_what_to_do(suites, wrong, error, code):
    with pytest.raises(error) as refusal:
        suites.start(asked(**wrong), sides("old"))
    assert refusal.value.code == code
    assert refusal.value.hint
    assert suites.all() == []


def test_three_kernels_are_too_many(suites):
    with pytest.raises(BadRequest) as refusal:
        suites.start(asked(), sides("a", "b", "c"))
    assert refusal.value.code == "too_many_kernels"


class TestAfterTheServerEnded:
    def test_a_suite_that_ran_says_so_and_keeps_what_it_had(self, suites, jobs, store):
        done = ended(suites, suites.start(asked(), sides("old", "new")))
        cut = msgspec.structs.replace(done, id="cut", state="running", ended_seconds=None)
        SuiteStore(store, owner=f"{platform.node()} 999999999").put(cut)
        later = SuiteManager(jobs=jobs, results=store)
        assert {each.id: each.state for each in later.all()} == {done.id: "done", "cut": "failed"}
        found = later.get("cut")
        assert found.error.code == "server_ended"
        assert build_suite_report(found, later.results_of("cut")).comparison.figures

    def test_one_that_another_server_runs_is_left_to_it(self, suites, store):
        done = ended(suites, suites.start(asked(), sides("old")))
        running = msgspec.structs.replace(done, id="elsewhere", state="running")
        SuiteStore(store, owner=f"{platform.node()} {os.getppid()}").put(running)
        assert [each.id for each in suites.all()] == [done.id]

    def test_closing_ends_it_at_once_and_the_next_server_tells_why(self, jobs, store):
        first = SuiteManager(jobs=jobs, results=store)
        suite = first.start(asked("sleeps"), sides("old"))
        wait_until(lambda: "sleeping" in first.get(suite.id).progress_message)
        first.close()
        with pytest.raises(Unavailable):
            first.start(asked(), sides("old"))
        second = SuiteManager(jobs=jobs, results=store)
        assert second.get(suite.id).error.code == "server_ended"


def test_a_file_that_cannot_be_written_does_not_stop_it(make_manager, tmp_path):
    (tmp_path / "file").write_text("")
    jobs = make_manager()
    suites = SuiteManager(jobs=jobs, results=ResultStore(tmp_path / "file" / "results"))
    suite = suites.start(asked(), sides("old", "new"))
    wait_until(lambda: suites.results_of(suite.id)[0].rounds == 2)
    suites.close()
    assert build_suite_report(suite, suites.results_of(suite.id)).comparison.figures


def test_the_many_jobs_of_suites_push_out_nothing_that_was_asked_for_by_hand(
    suites, jobs, monkeypatch
):
    monkeypatch.setattr("jupyter_gpuperf.jobs.registry.KEPT_JOBS", 2)
    mine = jobs.submit(request())
    wait_until(lambda: jobs.get(mine.id).state == "done")
    ended(suites, suites.start(asked(rounds=4), sides("old")))
    assert [each.suite is None for each in jobs.list()] == [False, False, True]


def test_a_result_stands_against_the_baseline_the_best_and_those_like_it(store):
    from jupyter_gpuperf.results.baseline_comparison import compare_with_baseline

    limited = msgspec.structs.replace(measured(), limits={"images_per_second": 100.0})
    first = store.add(limited, 1.0)
    store.add(measured(9.0, parameters={"batch_size": 128}), 2.0)
    second = store.add(msgspec.structs.replace(measured(1.5), limits=limited.limits), 3.0)
    standing = compare_with_baseline(store, second)
    assert standing.against.id == first
    (change,) = standing.figures
    assert (change.figure, change.verdict) == ("pass_seconds", "worse")
    assert [each.id for each in standing.history] == [second, first]
    assert list(standing.history[0].figures) == ["pass_seconds"]
    assert standing.best == {"images_per_second": 64.0}
    assert compare_with_baseline(store, first).against is None
    assert compare_with_baseline(store, first, against=second).figures[0].verdict == "better"
    other = store.add(measured(benchmark="launch"), 4.0)
    with pytest.raises(BadRequest) as refusal:
        compare_with_baseline(store, first, against=other)
    assert refusal.value.code == "not_comparable"
