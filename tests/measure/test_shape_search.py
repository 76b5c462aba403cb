from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gpuperf.measure.shape_search import GRID_STEP, Search, neighbours

SIZES = range(GRID_STEP, 16_385, GRID_STEP)
GRID = list(itertools.product(SIZES, SIZES, SIZES))
FINE = range(GRID_STEP // 2, 16_385, GRID_STEP // 2)


class Device:
    """A device whose best shape the test knows; looking costs time."""

    def __init__(self, best) -> None:
        self.best = best
        self.now = 0.0
        self.looked_at = []

    def rate(self, shape, seconds):
        self.now += seconds
        self.looked_at.append(shape)
        distance = sum(abs(size - wished) for size, wished in zip(shape, self.best, strict=True))
        return 1e15 - 1e9 * distance

    def search(self, limit_seconds=1e9):
        search = Search(
            self.rate,
            largest=16_384,
            limit_seconds=limit_seconds,
            report_progress=lambda ratio, best: None,
            clock=lambda: self.now,
        )
        return search.best_of(GRID)


@given(st.tuples(*[st.sampled_from(list(FINE))] * 3))
def test_a_peak_between_the_coarse_shapes_is_found(best):
    assert Device(best).search() == best


def test_it_looks_at_far_fewer_shapes_than_there_are():
    device = Device((3072, 11_264, 11_264))
    device.search()
    assert len(set(device.looked_at)) < len(FINE) ** 3 / 3


@pytest.mark.parametrize("limit_seconds", [0.001, 1.0, 5.0])
def test_time_that_is_up_ends_it_with_the_best_so_far(limit_seconds):
    device = Device((8192, 8192, 8192))
    found = device.search(limit_seconds)
    assert found in GRID
    assert device.now <= limit_seconds + 0.2  # what is being looked at is seen through


def test_neighbours_stay_within_the_bounds():
    found = list(neighbours([(1024, 16_384, 4096)], 1024, 16_384))
    assert all(1024 <= size <= 16_384 for shape in found for size in shape)
    assert (1024, 16_384, 4096) in found
    assert len(found) == 2 * 2 * 3
