"""What bounds a setting, told from figures that are known."""

from __future__ import annotations

import dataclasses

import pytest
from simulated import BUDGET, PROBE

from jupyter_gpuperf.loaders.setting import Setting
from jupyter_gpuperf.tuning.space import SearchResult, Space
from jupyter_gpuperf.tuning.trial import Trial
from jupyter_gpuperf.tuning.verdict import describe_bottleneck, summary_of

SPACE = Space(named={}, base=Setting.of(num_workers=1), most_workers=8, cpus=4.0)
COMPUTES = dataclasses.replace(PROBE, blocked_ratio=0.0)
WAITS = dataclasses.replace(PROBE, blocked_ratio=0.9)
HALF = dataclasses.replace(BUDGET, cpus=2.0, quota_cpus=2.0)


def trial(workers, seconds=0.02, **figures):
    return Trial(setting=Setting.of(num_workers=workers), blocks=[seconds] * 10, **figures)


def found(best, *others, enough=None):
    return SearchResult(trials=[best, *others], best=best, enough=enough, cut_short=False)


@pytest.mark.parametrize(
    ("best", "probe", "budget", "code"),
    [
        (trial(4, cpu_cores=3.9), COMPUTES, BUDGET, "cpu"),
        (trial(2, cpu_cores=1.9), COMPUTES, HALF, "quota"),
        (trial(4, cpu_cores=2.0, machine_busy_ratio=1.0), COMPUTES, BUDGET, "others"),
        (trial(8, cpu_cores=0.5, machine_busy_ratio=0.2), WAITS, BUDGET, "storage"),
        (trial(0, cpu_cores=1.0, machine_busy_ratio=0.3), COMPUTES, BUDGET, "transfer"),
        (trial(2, cpu_cores=1.95, machine_busy_ratio=0.5), COMPUTES, BUDGET, "cpu"),
        (
            trial(2, seconds=0.1, cpu_cores=1.2, machine_busy_ratio=0.4),
            COMPUTES,
            BUDGET,
            "transfer",
        ),
    ],
    ids=["processors", "a quota", "others", "storage", "alone", "busy workers", "handing over"],
)
def test_the_limit_is_what_is_used_up(best, probe, budget, code):
    limit = describe_bottleneck(best, found(best), probe, budget)
    assert limit["limit"] == code
    assert limit["limit_summary"]
    assert limit["advice"]


def test_a_loader_that_keeps_up_is_limited_by_the_step_whatever_else_is_busy():
    best = trial(0, cpu_cores=4.0, machine_busy_ratio=1.0)
    limit = describe_bottleneck(best, found(best, enough=True), WAITS, BUDGET)
    assert limit["limit"] == "step"


def in_turn(*trials):
    for each in trials:
        each.round_of = trials
    return trials[0]


def test_a_gain_is_claimed_only_where_the_rounds_show_one():
    best, own = trial(4, 0.015), trial(1, 0.03, roles={"present"})
    in_turn(best, own)
    said = summary_of(best, found(best, own), SPACE)
    assert "2.00 times as fast as your current setting" in said[1]
    noisy = Trial(setting=own.setting, roles={"present"}, blocks=[0.0145, 0.0162] * 5)
    in_turn(best, noisy)
    said = summary_of(best, found(best, noisy), SPACE)
    assert "Can't be distinguished from your current setting (1 worker)" in said[1]


def test_a_gain_is_that_of_the_rounds_not_of_the_means():
    """The machine became three times slower halfway; both settings felt it."""
    drift = [1.0] * 5 + [3.0] * 5
    best = Trial(setting=Setting.of(num_workers=2), blocks=[0.02 * each for each in drift])
    own = Trial(
        setting=Setting.of(num_workers=1), roles={"present"}, blocks=[0.03 * each for each in drift]
    )
    in_turn(best, own)
    gain = best.gain_over(own)
    assert [gain[name] for name in ("low", "value", "high")] == pytest.approx([1.5] * 3)


def test_it_says_that_settings_cannot_be_told_apart_and_why_it_took_this_one():
    best, other = trial(1), trial(4)
    in_turn(best, other)
    answer = dataclasses.replace(found(best, other), alike=[best, other])
    said = " ".join(summary_of(best, answer, SPACE))
    assert "2 settings can't be distinguished; this one needs the least resources" in said


def test_a_recipe_that_is_faster_but_starts_slowly_is_no_contradiction():
    """Seen on an H200: epochs of seven batches, and workers that take two seconds to start."""
    best, recipe = trial(0, 0.03, startup_seconds=0.01), trial(32, 0.02, roles={"golden"})
    recipe.startup_seconds = 2.0
    in_turn(best, recipe)
    short = dataclasses.replace(SPACE, batches=7)
    said = " ".join(summary_of(best, found(best, recipe), short))
    assert "0.67 times as fast as the common recipe (32 workers) once both run" in said
    assert "an epoch takes 2.1 s there, 0.19 s here" in said
    said = " ".join(summary_of(best, found(best, recipe), SPACE))
    assert "that one needs more resources" in said


def test_the_wait_is_what_ready_batches_would_save():
    ready = {"value": 0.018, "low": 0.0179, "high": 0.0181}
    best = trial(4, 0.02, ready_seconds=ready)
    assert best.wait_ratio["value"] == pytest.approx(0.1)
    assert (
        "20 ms per step (50 batches/s), 10.0 % of it waiting for data"
        in summary_of(best, found(best), SPACE)[0]
    )


def test_it_says_what_there_was_no_time_for():
    space = dataclasses.replace(SPACE, named={"golden": Setting.of(num_workers=8)})
    said = " ".join(summary_of(best := trial(4), found(best, trial(2)), space))
    assert "There was no time to measure the common recipe (8 workers)" in said
    assert "No time was left to measure the settings in turn" in said
