"""The time that something still takes is said when its pace bears it, and not before."""

from __future__ import annotations

import pytest

from jupyter_gpuperf.jobs.remaining_time import RemainingTime


def told(course, now=None):
    remaining = RemainingTime()
    for seconds, ratio in course:
        remaining.observe(seconds, ratio)
    return remaining.seconds(course[-1][0] if now is None else now)


def test_at_an_even_pace_the_end_is_told():
    assert told([(10.0 + i, 0.1 * (i + 1)) for i in range(5)]) == pytest.approx(5.0)
    assert told([(0.5 * i, 0.01 * i) for i in range(1, 20)]) == pytest.approx(40.5)


@pytest.mark.parametrize(
    "course",
    [
        [(0.0, 0.0), (9.0, 0.0)],  # nothing has begun
        [(0.0, 0.1), (0.2, 0.5)],  # a moment is no pace
        [(0.0, 0.5), (9.0, 0.501)],  # as good as nothing
        [(0.0, 0.1), (1.0, 0.5), (2.0, 0.52), (3.0, 0.54)],  # it slowed down
        [(0.0, 0.1), (1.0, 0.12), (2.0, 0.15), (3.0, 0.9)],  # it sped up
    ],
)
def test_where_the_pace_tells_nothing_nothing_is_told(course):
    assert told(course) is None


def test_it_counts_down_between_two_news():
    course = [(float(i), 0.1 * i) for i in range(1, 6)]
    assert told(course, now=6.0) == pytest.approx(4.0)


def test_what_stands_still_or_is_late_has_no_time_left_to_tell():
    course = [(float(i), 0.1 * i) for i in range(1, 10)]
    assert told(course, now=9.5) == pytest.approx(0.5)
    assert told(course, now=10.5) is None
    assert told([(float(i), 0.01 * i) for i in range(1, 10)], now=20.0) is None


def test_what_came_before_the_first_progress_is_no_part_of_the_pace():
    course = [(0.0, 0.0), (60.0, 0.0), *((60.0 + i, 0.1 * i) for i in range(1, 6))]
    assert told(course) == pytest.approx(5.0)


def test_a_jump_of_the_estimate_is_smoothed():
    even = [(float(i), 0.05 * i) for i in range(1, 11)]
    jumped = told([*even, (11.0, 0.6)])
    assert 8.0 < jumped < 9.5  # the mean pace alone would say 7.3


def test_a_long_course_is_remembered_in_few_points():
    remaining = RemainingTime()
    for i in range(1, 10_000):
        remaining.observe(i / 100, i / 10_000)
    assert len(remaining._seen) <= 256
    assert remaining.seconds(99.99) == pytest.approx(0.01, abs=0.05)
