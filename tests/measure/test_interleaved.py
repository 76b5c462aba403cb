from __future__ import annotations

import itertools
import random

import pytest

from jupyter_gpuperf.measure.interleaved import FEWEST_ROUNDS, paired_ratio, time_interleaved


class Steps:
    """A clock, and work that takes time on it."""

    def __init__(self):
        self.now = 0.0
        self.order = []

    def clock(self):
        return self.now

    def variant(self, name, seconds, drift=0.0, noise=0.0, seed=0):
        draw = random.Random(seed)

        def measure():
            taken = seconds * (1 + drift * self.now) * (1 + noise * draw.random())
            self.now += taken
            self.order.append(name)
            return taken

        return measure


def measured(steps, limit_seconds=1e6, target_ratio=0.01, **variants):
    return time_interleaved(
        variants, target_ratio=target_ratio, limit_seconds=limit_seconds, clock=steps.clock
    )


def test_rounds_go_forwards_and_backwards():
    steps = Steps()
    measured(steps, a=steps.variant("a", 1.0), b=steps.variant("b", 2.0))
    assert steps.order[:8] == list("abbaabba")


def test_a_drift_hurts_both_alike():
    steps = Steps()
    found = measured(
        steps,
        a=steps.variant("a", 1.0, drift=0.01),
        b=steps.variant("b", 1.0, drift=0.01),
        target_ratio=1e-9,
        limit_seconds=300.0,
    )
    ratio = found.speedup("b", "a")
    assert ratio["low"] <= 1 <= ratio["high"]


def test_it_stops_when_the_answer_is_sure():
    steps = Steps()
    found = measured(steps, a=steps.variant("a", 1.0), b=steps.variant("b", 2.0))
    assert len(found.samples["a"]) == len(found.samples["b"]) == FEWEST_ROUNDS
    assert found.doubt is None
    assert found.speedup("a", "b")["value"] == pytest.approx(2)
    assert found.median("b")["value"] == 2.0


def test_out_of_time_it_says_so_and_keeps_whole_rounds():
    steps = Steps()
    found = measured(
        steps,
        a=steps.variant("a", 1.0, noise=1.0),
        b=steps.variant("b", 1.0, noise=1.0, seed=1),
        limit_seconds=5.0,
    )
    assert len(found.samples["a"]) == len(found.samples["b"]) >= 1
    assert found.doubt.startswith("Not converged after ")


def test_one_round_is_made_whatever_the_time():
    steps = Steps()
    found = measured(steps, a=steps.variant("a", 9.0), limit_seconds=1.0)
    assert found.samples == {"a": [9.0]}


def test_as_many_rounds_are_made_as_an_interval_needs():
    steps = Steps()
    found = time_interleaved(
        {"a": steps.variant("a", 5.0)},
        target_ratio=0.01,
        limit_seconds=1.0,
        fewest_rounds=4,
        clock=steps.clock,
    )
    assert len(found.samples["a"]) == 4


@pytest.mark.parametrize(("room_rounds", "rounds"), [(0.0, 4), (0.75, 3), (0.25, 4)])
def test_a_round_begins_only_where_enough_of_it_fits(room_rounds, rounds):
    steps = Steps()
    found = time_interleaved(
        {"a": steps.variant("a", 3.0)},
        target_ratio=0.01,
        limit_seconds=10.0,
        room_rounds=room_rounds,
        clock=steps.clock,
    )
    assert len(found.samples["a"]) == rounds


@pytest.mark.parametrize("rounds", [3, 4])
def test_the_interval_of_few_rounds_holds_the_truth_as_often_as_it_says(rounds):
    missed = 0
    draw = random.Random(3)
    for _ in range(1000):
        first, second = ([draw.gauss(1.0, 0.05) for _ in range(rounds)] for _ in range(2))
        ratio = paired_ratio(first, second)
        assert ratio["low"] < ratio["value"] < ratio["high"]
        missed += not ratio["low"] <= 1 <= ratio["high"]
    assert 25 <= missed <= 75  # 5 % are 50; of least and most it would be 125 and more


def test_twenty_equal_pairs_are_hardly_ever_called_different():
    calls = 0
    for seed in range(40):
        draw = random.Random(seed)
        first, second = ([draw.gauss(1.0, 0.05) for _ in range(40)] for _ in range(2))
        ratio = paired_ratio(first, second, 400)
        calls += not ratio["low"] <= 1 <= ratio["high"]
    assert calls <= 5  # 5 % of 40 is 2


def test_samples_of_other_rounds_are_refused():
    with pytest.raises(ValueError, match="zip"):
        paired_ratio([1.0, 2.0], list(itertools.repeat(1.0, 3)))
