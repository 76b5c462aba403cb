"""The law of the memory, and the sizes that are run: a few runs find the largest that fits, whatever the law."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gpuperf.batch_sizes.memory_law import fit_law
from jupyter_gpuperf.batch_sizes.next_size import Sizes, rounded, size_above


def test_two_phases_are_two_lines():
    law = fit_law(
        {
            "step": [(1, 11.0), (2, 12.0), (4, 14.0)],
            "optimizer": [(1, 20.0), (2, 20.0), (4, 20.0)],
        }
    )
    assert law.at(5) == 20
    assert law.at(30) == pytest.approx(40)
    assert (law.phase_at(5), law.phase_at(30)) == ("optimizer", "step")
    assert law.largest_within(40) == 30
    assert law.largest_within(19) == 0
    assert law.lines["step"].deviation_ratio == pytest.approx(0)


def test_small_batches_that_follow_another_line_do_not_count():
    points = [(1, 100.0), (2, 100.0), (4, 130.0), (8, 180.0), (16, 340.0), (32, 660.0)]
    law = fit_law({"step": points})
    assert law.lines["step"].points == tuple(points[3:])
    assert law.at(64) == pytest.approx(1300)


def test_a_peak_that_does_not_grow_has_no_largest_batch():
    assert fit_law({"step": [(1, 10.0), (2, 10.0)]}).largest_within(100) is None


def test_one_size_is_no_law():
    assert fit_law({"step": [(8, 10.0)]}) is None
    assert fit_law({}) is None


@pytest.mark.parametrize(
    ("size", "down", "above"), [(1, 1, 2), (15, 15, 16), (21, 20, 22), (1000, 960, 1024)]
)
def test_sizes_are_rounded(size, down, above):
    assert rounded(size) == down
    assert size_above(down) == above


def climb(own, fits, wanted=lambda sizes: None, rate=lambda size: size, most=None):
    """Return the sizes, and those in the order in which they were run."""
    sizes, order, size = Sizes(most=most), [], own
    while size is not None:
        order.append(size)
        if fits(size):
            sizes.rates[size] = rate(size)
        else:
            sizes.failed.add(size)
        size = sizes.next(wanted(sizes))
    return sizes, order


@given(own=st.integers(1, 4096), largest=st.integers(1, 1_000_000))
def test_the_largest_is_found_without_a_law(own, largest):
    sizes, order = climb(own, lambda size: size <= largest)
    assert len(order) == len(set(order))
    assert len(order) <= 40
    if sizes.rates:
        top = max(sizes.rates)
        assert top <= largest
        # None of the rounded sizes between is missing.
        assert size_above(top) > largest


@given(own=st.integers(1, 4096), largest=st.integers(1, 1_000_000))
def test_a_law_leads_there_without_failures(own, largest):
    sizes, order = climb(own, lambda size: size <= largest, lambda sizes: largest)
    assert sizes.failed <= {own} | {own >> shift for shift in range(13)}
    assert len(order) <= 40


def test_no_size_is_larger_than_the_dataset():
    _, order = climb(8, lambda size: True, most=100)
    assert order == [8, 16, 32, 64, 100]


def test_when_larger_batches_are_no_faster_the_sizes_grow_faster():
    _, order = climb(8, lambda size: size < 5000, rate=lambda size: 1.0)
    assert order[:6] == [8, 16, 32, 128, 512, 2048]
