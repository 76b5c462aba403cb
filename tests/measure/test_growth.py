"""Steady growth, and everything that only looks like it."""

from __future__ import annotations

import random

import pytest

from jupyter_gpuperf.measure.growth import MOST_POINTS, GrowthTrack, Point


def track_of(value, steps=200, *, seconds=0.5, epoch_steps=10**6):
    """Return the growth that is seen at the end, and at any earlier step."""
    track, seen = GrowthTrack(), []
    for step in range(steps):
        track.add(Point(step, step * seconds, value(step), step // epoch_steps))
        seen.append(track.growth(least=1.0))
    return seen[-1], [each for each in seen if each is not None]


def noise(step):
    return random.Random(step).uniform(0, 200)


GROWING = {
    "steadily": lambda step: 10.0 * step,
    "beside_noise": lambda step: 10.0 * step + noise(step),
    "after_a_while": lambda step: 1000 + 10.0 * max(0, step - 60),
    "beside_a_small_sawtooth": lambda step: 10.0 * step + 30 * (step % 7),
}


@pytest.mark.parametrize("name", GROWING)
def test_steady_growth_is_seen_with_its_rate(name):
    last, _ = track_of(GROWING[name])
    assert last.per_step == pytest.approx(10, rel=0.2)
    assert not last.outlasts_epoch


STEADY = {
    "constant": lambda step: 1000.0,
    "noise": noise,
    "first_steps": lambda step: min(step, 20) * 100.0,
    "levels_off": lambda step: 1e4 * (1 - 0.95**step),
    "fills_a_buffer": lambda step: 10.0 * min(step, 30),
    "sawtooth": lambda step: 10.0 * (step % 40),
    "two_jumps": lambda step: 1000.0 * ((step > 30) + (step > 90)),
    "copies_of_weights": lambda step: 1000.0 * (step // 25),
    "falls": lambda step: 1e4 - 10.0 * step,
    "jump_of_a_second_model": lambda step: 5e3 if step > 100 else 1e3,
}


@pytest.mark.parametrize("name", STEADY)
def test_what_is_no_steady_growth_is_never_seen_as_one(name):
    _, seen = track_of(STEADY[name])
    assert seen == []


def test_a_sawtooth_longer_than_any_seen_is_taken_for_growth_only_until_it_falls():
    last, seen = track_of(lambda step: 10.0 * (step % 150), steps=300)
    assert seen
    assert last is None


def test_growth_outlasts_an_epoch_only_if_nothing_came_free_at_its_end():
    last, _ = track_of(lambda step: 10.0 * step, epoch_steps=120)
    assert last.outlasts_epoch
    last, _ = track_of(lambda step: 10.0 * (step % 120), epoch_steps=120)
    assert last is None


def test_a_long_loop_is_kept_in_bounded_memory_and_still_understood():
    track = GrowthTrack()
    for step in range(20_000):
        track.add(Point(step, step * 0.5, 10.0 * step, 0))
        assert len(track._points) <= MOST_POINTS
    assert track.growth(1.0).per_step == pytest.approx(10, rel=0.01)


def test_too_little_is_not_seen():
    track = GrowthTrack()
    for step in range(200):
        track.add(Point(step, step * 0.5, 10.0 * step, 0))
    assert track.growth(least=1e6) is None
