"""Rigorous runs: five processes, and an interval that holds for the next run."""

from __future__ import annotations

import random

import pytest
from job_tools import device, follow
from measured import measured

from jupyter_gpuperf.jobs.device_assignment import ALL_KEY, HOST_KEY, assign_all_devices
from jupyter_gpuperf.results.aggregate_runs import RIGOROUS_RUNS, combine_runs, next_run_interval
from jupyter_gpuperf.schemas import Interval, JobRequest


def run_of(value, reach=0.001):
    return Interval(value=value, low=value * (1 - reach), high=value * (1 + reach))


def test_the_interval_holds_for_the_next_run():
    inside = 0
    for seed in range(300):
        draw = random.Random(seed)
        runs = [run_of(draw.lognormvariate(0, 0.1)) for _ in range(RIGOROUS_RUNS)]
        stated = next_run_interval(runs)
        inside += stated.low <= draw.lognormvariate(0, 0.1) <= stated.high
    assert inside >= 0.92 * 300


def test_it_is_never_narrower_than_that_of_a_run():
    stated = next_run_interval([run_of(1.0, reach=0.2) for _ in range(5)])
    assert (stated.low, stated.value, stated.high) == pytest.approx((0.8, 1.0, 1.2))


def test_values_that_may_be_zero_have_their_range():
    runs = [Interval(value=value, low=value, high=value) for value in (0.0, 2.0, 1.0)]
    assert next_run_interval(runs) == Interval(value=1.0, low=0.0, high=2.0)


def test_samples_are_joined_and_warnings_said_once():
    found = combine_runs([measured(value, warnings=["Hot."]) for value in (1.0, 2.0, 3.0)])
    assert found.samples["pass_seconds"] == [1.0, 1.0, 2.0, 2.0, 3.0, 3.0]
    assert found.warnings == ["Hot."]
    assert found.environment["processes_measured"] == 3
    assert found.figures["pass_seconds"].value == 2.0


def test_one_run_stays_as_it_is():
    assert combine_runs([measured()]) == measured()


def test_a_rigorous_job_runs_in_processes_of_its_own(manager):
    request = JobRequest(benchmark="dataloader", parameters={"items": 1, "rigorous": True})
    heard = follow(manager, manager.submit(request).id)
    assert heard[-1].state == "done", heard[-1].error
    assert heard[-1].result.environment["processes_measured"] == RIGOROUS_RUNS
    assert len(heard[-1].result.samples["batch_seconds"]) == 3 * RIGOROUS_RUNS
    ratios = [each.progress_ratio for each in heard]
    assert ratios == sorted(ratios)
    assert any("of 5" in each.progress_message for each in heard)


def test_a_job_of_all_devices_sees_all_and_keeps_others_off_each(make_manager):
    assignment = assign_all_devices(
        [device("GPU-B", 1), device("GPU-A"), device("GPU-R", 2, replayed=True)]
    )
    assert assignment.key == ALL_KEY
    assert set(assignment.locks) == {"GPU-A", "GPU-B"}
    assert assignment.environment == {}  # all stay visible
    assert assign_all_devices([]).key == HOST_KEY


def test_whoever_wants_all_waits_for_each(make_manager, tmp_path):
    from jupyter_gpuperf.jobs.locking import hold_locks

    class StillHeld(Exception):
        pass

    def give_up(_seconds):
        raise StillHeld

    def held(*keys):
        return hold_locks(keys, tmp_path, wait=give_up)

    with held("GPU-B"):
        with pytest.raises(StillHeld):
            held("GPU-A", "GPU-B").__enter__()
        with held("GPU-A"):  # what it had, it gave back
            pass
    with held("GPU-B", "GPU-A"), pytest.raises(StillHeld):
        held("GPU-A").__enter__()
