"""The suite: in rounds, within its time, going on when something is missing, saved as it goes."""

from __future__ import annotations

import pytest
from measured import measured

from jupyter_gpuperf.benchmarks import BENCHMARKS, find
from jupyter_gpuperf.errors import BadRequest, GpuPerfError, NotFound, Unavailable
from jupyter_gpuperf.suites.rounds import Rounds, parameters_for
from jupyter_gpuperf.suites.suite_file import chosen_benchmarks, read_suite, write_suite

SUITE = b"""{"format": "%s", "format_version": %d, "created_seconds": 0, "rounds": 1, "results": [],
"failures": []}"""
TWO = (find("compute"), find("launch"))


class Time:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def run():
    """Run a suite whose benchmarks take ``seconds`` each; return it, and the order of the runs."""

    def run(seconds=1.0, budget_seconds=100.0, rounds=3, missing=(), benchmarks=TWO):
        time, order = Time(), []

        def run_one(name, _parameters):
            order.append(name)
            time.now += seconds
            if name in missing:
                raise Unavailable("package_missing", f"{name} needs it.", "Install it.")
            return measured(benchmark=name)

        (suite,) = Rounds(
            benchmarks,
            [run_one],
            rounds=rounds,
            budget_seconds=budget_seconds,
            clock=time,
        ).run()
        return suite, order

    return run


def test_rounds_go_through_all_benchmarks(run):
    suite, order = run()
    assert order == ["compute", "launch"] * 3
    assert suite.rounds == 3
    assert len(suite.results) == 6
    assert suite.failures == []


def test_no_round_is_begun_that_would_not_fit(run):
    suite, order = run(seconds=10.0, budget_seconds=45.0)
    assert suite.rounds == 2
    assert len(order) == 4


def test_the_first_round_is_made_whatever_the_time(run):
    assert run(seconds=10.0, budget_seconds=1.0)[0].rounds == 1


def test_what_is_missing_is_said_once_and_the_rest_goes_on(run):
    suite, order = run(missing={"compute"})
    assert order == ["compute", "launch", "launch", "launch"]
    (failure,) = suite.failures
    assert (failure.benchmark, failure.error.code) == ("compute", "package_missing")
    assert failure.error.hint


def test_an_interrupt_ends_it_and_what_was_saved_stays(run):
    saved = []

    def interrupted(name, _parameters):
        if saved:
            raise GpuPerfError("cancelled", "It was cancelled.", "")
        return measured(benchmark=name)

    with pytest.raises(GpuPerfError) as stopped:
        Rounds(TWO, [interrupted], save=saved.extend).run()
    assert stopped.value.code == "cancelled"
    assert [each.benchmark for each in saved[-1].results] == ["compute"]


def test_a_benchmark_gets_its_share_of_the_time_within_its_own_bounds():
    assert parameters_for(find("compute"), 7.0) == {"time_limit_seconds": 7.0}
    assert parameters_for(find("compute"), 1e-3)["time_limit_seconds"] >= 1.0
    for benchmark in BENCHMARKS:
        for seconds in (0.0, 5.0, 1e6):
            benchmark.check(parameters_for(benchmark, seconds))


def test_names_choose_and_an_unknown_one_is_refused():
    assert chosen_benchmarks("") == list(BENCHMARKS)
    assert [each.name for each in chosen_benchmarks("launch, compute")] == ["launch", "compute"]
    with pytest.raises(NotFound) as refusal:
        chosen_benchmarks("launch,speed")
    assert refusal.value.code == "unknown_benchmark"


def test_a_file_holds_what_was_written(run, tmp_path):
    suite, _ = run()
    write_suite(tmp_path / "before.json", suite)
    assert read_suite(tmp_path / "before.json") == suite
    assert [each.name for each in tmp_path.iterdir()] == ["before.json"]  # no draft is left


def test_a_file_that_cannot_be_written_is_said(run, tmp_path):
    with pytest.raises(BadRequest) as refusal:
        write_suite(tmp_path / "nowhere" / "before.json", run()[0])
    assert refusal.value.code == "file_not_writable"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "file_not_found"),
        (b"{", "not_a_suite"),
        (b"{}", "not_a_suite"),
        (b"\xff", "not_a_suite"),
        (SUITE % (b"other", 1), "not_a_suite"),
        (SUITE % (b"gpuperf-suite", 99), "not_a_suite"),
    ],
)
def test_a_file_that_is_no_suite_is_refused(tmp_path, content, code):
    path = tmp_path / "suite.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(GpuPerfError) as refusal:
        read_suite(path)
    assert refusal.value.code == code
    assert refusal.value.hint
