"""The steps of a run from begin to end: bounded, apart from each other, with intervals that hold what they promise."""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest

from jupyter_gpuperf.display.run_line import run_line
from jupyter_gpuperf.loop_store.step_window import steps_of
from jupyter_gpuperf.runs.found_causes import FoundCauses
from jupyter_gpuperf.runs.loop_totals import MOST_BLOCKS, MOST_LOOPS, RunTotals
from jupyter_gpuperf.schemas.phases import FollowedSteps, PhaseSeconds
from jupyter_gpuperf.schemas.training import Steps, StepTally, WatchedLoop


def tally(loop=1, step_seconds=0.01, count=50, at_seconds=1e9, **fields):
    sums = {"samples_count": 0.0, "wait_seconds": 0.0, "interrupted_count": 0, "epoch_batches": 0}
    return StepTally(
        loader=loop,
        began_seconds=at_seconds,
        ended_seconds=at_seconds,
        count=count,
        training_count=count,
        step_seconds=step_seconds * count,
        event_step_seconds=0.0,
        event_idle_seconds=0.0,
        bins={},
        **sums | fields,
    )


def report(*tallies, name="optimizer", rank=None):
    loops = {each.loader for each in tallies}
    infos = [WatchedLoop(id=each, name=name, bounded_by="optimizer", rank=rank) for each in loops]
    return Steps(kernel_id="k", notebook_path=None, loaders=infos, tallies=list(tallies))


def test_a_clock_that_stands_still_does_not_join_all_steps_into_one_block():
    totals = RunTotals()
    for _ in range(10):  # the script replaced time.time()
        totals.add(1, report(tally(at_seconds=1e9)))
    (loop,) = totals.results()
    assert loop.step_seconds.value == pytest.approx(0.01)
    assert loop.warmup_steps == 50


def test_hours_of_steps_need_little_memory_and_keep_their_mean():
    totals, draw = RunTotals(), random.Random(1)
    for _ in range(20_000):
        totals.add(1, report(tally(step_seconds=draw.uniform(0.009, 0.011))))
    (loop,) = totals.results()
    assert loop.steps == 1_000_000
    assert loop.step_seconds.value == pytest.approx(0.01, rel=1e-3)
    assert 0 < loop.step_seconds.high - loop.step_seconds.low < 1e-4
    assert len(totals._loops[0]._blocks) <= MOST_BLOCKS


def test_programs_with_the_same_process_id_are_loops_of_their_own():
    totals = RunTotals()
    totals.add(1, report(tally(step_seconds=0.01), name="teacher"))
    totals.add(1, report(tally(step_seconds=0.02), name="student"))  # after exec
    assert {each.name: each.steps for each in totals.results()} == {"teacher": 50, "student": 50}


def test_thousands_of_loops_are_not_all_kept():
    totals = RunTotals()
    for loop in range(MOST_LOOPS + 10):
        totals.add(1, report(tally(loop), name=f"optimizer {loop}"))
    assert totals.is_full
    assert len(totals.results()) == MOST_LOOPS


def test_the_loop_with_the_most_time_comes_first_not_that_with_the_most_steps():
    totals = RunTotals()
    totals.add(1, report(tally(1, step_seconds=0.001, count=900), name="inner"))
    totals.add(1, report(tally(2, step_seconds=0.1, count=100), name="outer"))
    assert [each.name for each in totals.results()] == ["outer", "inner"]


def test_an_optimizer_of_its_own_in_each_fold_makes_one_loop_and_two_at_once_make_two():
    totals = RunTotals()
    for fold in range(10):
        totals.add(1, report(tally(fold, at_seconds=1e9 + fold)))
    (loop,) = totals.results()
    assert loop.steps == 500
    totals = RunTotals()
    for turn in range(10):
        totals.add(1, report(tally(turn % 2, at_seconds=1e9 + turn)))
    assert [each.steps for each in totals.results()] == [250, 250]


def test_a_rank_stays_when_the_process_group_has_ended():
    totals = RunTotals()
    totals.add(1, report(tally(), rank=3))
    totals.add(1, report(tally(), rank=None))
    assert totals.results()[0].rank == 3


@pytest.mark.parametrize("blocks", [2, 4, 9, 30])
def test_the_interval_of_few_blocks_contains_the_mean_as_often_as_it_says(blocks):
    draw, hits, trials = random.Random(2), 0, 100
    for _ in range(trials):
        totals = RunTotals()
        for _ in range(blocks + (blocks > 2)):  # the first one is the warm-up
            totals.add(1, report(tally(step_seconds=draw.gauss(0.01, 0.0003), count=100)))
        interval = totals.results()[0].step_seconds
        hits += interval.low <= 0.01 <= interval.high
    assert hits >= 85  # of 95 expected; a bootstrap of two has 53


def test_phases_are_parts_of_the_mean_step_although_long_steps_are_measured_more_often():
    totals = RunTotals()
    long = FollowedSteps(
        count=1,
        step_seconds=2.0,
        has_forward=True,
        phases={"data": PhaseSeconds(host_seconds=1.5), "forward": PhaseSeconds(host_seconds=0.5)},
    )
    totals.add(1, report(tally(step_seconds=2.0, count=1, followed=long)))
    totals.add(1, report(tally(step_seconds=0.01, count=99)))
    (loop,) = totals.results()
    assert sum(each.host_seconds or 0 for each in loop.phases.values()) == pytest.approx(
        loop.step_seconds.value
    )
    assert loop.phases["data"].host_seconds == pytest.approx(0.75 * loop.step_seconds.value)


def test_the_status_line_has_shares_of_the_measured_steps():
    loop = steps_of(
        WatchedLoop(id=1, name="optimizer"),
        [
            tally(
                step_seconds=0.01,
                followed=FollowedSteps(
                    count=1,
                    step_seconds=0.1,
                    has_forward=True,
                    phases={
                        "data": PhaseSeconds(host_seconds=0.075),
                        "forward": PhaseSeconds(host_seconds=0.025),
                    },
                ),
            )
        ],
        pid=1,
        notebook="",
        busy=lambda *_: None,
    )
    assert "host 75.0\xa0% in data" in run_line("train.py", [loop], [])


def test_a_finding_whose_confidence_comes_and_goes_is_printed_twice_at_most():
    causes, printed = FoundCauses(), []
    for confidence in ("suspected", "confirmed", "suspected", "confirmed"):
        finding = SimpleNamespace(code="input-bound", device=None, confidence=confidence)
        printed += [each.confidence for each in causes.add([finding], is_active=True)]
    assert printed == ["suspected", "confirmed"]
