from __future__ import annotations

import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gpuperf.measure.statistics import (
    half_width_ratio,
    inverse,
    mean_interval,
    median_interval,
    small_sample_geometric_mean,
    small_sample_mean,
)

times = st.lists(st.floats(min_value=1e-6, max_value=1e3), min_size=1, max_size=20)


@given(times)
def test_an_interval_holds_its_value_and_repeats(samples):
    for estimate in (mean_interval, median_interval):
        interval = estimate(samples, 100)
        assert interval["low"] <= interval["value"] <= interval["high"]
        assert interval == estimate(samples, 100)


@given(times, st.floats(min_value=1e-3, max_value=1e3))
def test_other_units_give_the_same_interval(samples, factor):
    interval = mean_interval(samples, 50)
    scaled = mean_interval([factor * sample for sample in samples], 50)
    for key in interval:
        assert scaled[key] == pytest.approx(factor * interval[key], rel=1e-9)


@given(st.lists(st.floats(min_value=1e-3, max_value=1e3), min_size=2, max_size=10))
def test_the_geometric_mean_of_inverse_ratios_is_the_inverse(samples):
    there = small_sample_geometric_mean(samples)
    back = small_sample_geometric_mean([1 / each for each in samples])
    assert there["value"] == pytest.approx(1 / back["value"], rel=1e-9)
    assert 0 <= there["low"] <= there["value"] <= there["high"]


def test_a_geometric_interval_is_students_on_logarithms_and_not_for_one_or_eleven():
    interval = small_sample_geometric_mean([1.0, math.e, math.e**2])
    half = 4.303 / math.sqrt(3)
    assert interval["value"] == pytest.approx(math.e)
    assert interval["high"] == pytest.approx(math.exp(1 + half))
    for samples in ([1.0], [1.0] * 11):
        with pytest.raises(ValueError, match="2 to 10"):
            small_sample_geometric_mean(samples)


def test_nineteen_of_twenty_intervals_hold_the_truth():
    draw = random.Random(7)
    hits = 0
    for _ in range(200):
        samples = [draw.gauss(10.0, 2.0) for _ in range(40)]
        interval = mean_interval(samples, 400)
        hits += interval["low"] <= 10.0 <= interval["high"]
    assert 0.90 <= hits / 200 <= 0.99


def test_few_samples_give_students_wider_interval():
    draw = random.Random(7)
    hits = 0
    for _ in range(500):
        samples = [draw.gauss(10.0, 1.0) for _ in range(4)]
        interval = small_sample_mean(samples)
        hits += interval["low"] <= 10.0 <= interval["high"]
    assert 0.92 <= hits / 500 <= 0.98


def test_bursts_make_the_median_lie_and_the_mean_not():
    # As a loader with four workers hands over: three batches at once, then a wait.
    waits = [0.0, 0.0, 0.0, 4.0] * 25
    assert median_interval(waits)["value"] == 0.0
    assert mean_interval(waits)["value"] == 1.0


def test_seconds_become_a_rate_with_its_bounds_turned_round():
    rate = inverse({"value": 0.5, "low": 0.4, "high": 0.8}, 64)
    assert rate == {"value": 128.0, "low": 80.0, "high": 160.0}


def test_the_width_is_a_share_of_the_value():
    assert half_width_ratio({"value": 10.0, "low": 9.0, "high": 11.0}) == pytest.approx(0.1)
    assert half_width_ratio({"value": 0.0, "low": 0.0, "high": 0.0}) == 0.0


@pytest.mark.parametrize(
    "nothing",
    [
        lambda: mean_interval([]),
        lambda: small_sample_mean([1.0]),
        lambda: small_sample_mean([1.0] * 11),
    ],
)
def test_too_few_samples_are_an_error(nothing):
    with pytest.raises(ValueError, match="sample"):
        nothing()


def test_the_mean_is_the_mean():
    samples = [1.0, 2.0, 6.0]
    assert mean_interval(samples)["value"] == statistics.fmean(samples)


def test_students_interval_is_that_of_the_textbook_and_never_below_zero():
    interval = small_sample_mean([9.0, 10.0, 11.0])
    # t of 2 degrees of freedom is 4.303; standard deviation 1, three samples.
    assert interval["high"] - 10.0 == pytest.approx(4.303 / math.sqrt(3))
    assert 10.0 - interval["low"] == pytest.approx(4.303 / math.sqrt(3))
    assert small_sample_mean([0.0, 1.0])["low"] == 0.0


def test_nobody_else_s_random_numbers_are_touched_or_used():
    samples = [1.0, 2.0, 4.0, 8.0]
    random.seed(1)
    first = mean_interval(samples)
    random.seed(2)
    state = random.getstate()
    assert mean_interval(samples) == first
    assert random.getstate() == state


def test_sixteen_times_the_samples_make_the_interval_about_four_times_narrower():
    draw = random.Random(7)
    samples = [draw.gauss(10, 1) for _ in range(400)]
    few, many = mean_interval(samples[:25]), mean_interval(samples)
    assert 2 < half_width_ratio(few) / half_width_ratio(many) < 7


def test_a_width_around_nothing_is_no_share_of_it():
    assert half_width_ratio({"value": 0.0, "low": -1.0, "high": 1.0}) == math.inf


def test_the_truth_of_skewed_samples_is_held_too():
    draw = random.Random(20)
    hits = 0
    for _ in range(300):
        interval = median_interval([draw.expovariate(0.5) for _ in range(40)], 200)
        hits += interval["low"] <= 2 * math.log(2) <= interval["high"]
    assert 0.90 <= hits / 300 <= 0.99
