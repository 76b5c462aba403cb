"""Rates of totals that grow, wrap and restart."""

from __future__ import annotations

import pytest

from jupyter_gpuperf.sources.rates import NoSampleYet, Rates

WRAPS_AT = 100.0


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_total_that_may_have_wrapped_more_than_once_has_no_rate_until_the_next_growth():
    clock = Clock()
    rates = Rates(clock)
    with pytest.raises(NoSampleYet):
        rates.rate("bytes", 10.0, wraps_at=WRAPS_AT, most_per_second=50.0)
    clock.seconds = 3.0  # 150 may have gone by
    assert rates.rate("bytes", 20.0, wraps_at=WRAPS_AT, most_per_second=50.0) is None
    clock.seconds = 3.01  # too soon for another: nothing is known yet
    with pytest.raises(NoSampleYet):
        rates.rate("bytes", 20.0, wraps_at=WRAPS_AT, most_per_second=50.0)
    clock.seconds = 4.0
    assert rates.rate("bytes", 30.0, wraps_at=WRAPS_AT, most_per_second=50.0) == 10.0


def test_a_total_that_wrapped_once_goes_on_and_one_that_restarted_does_not():
    clock = Clock()
    rates = Rates(clock)
    for key in ("wraps", "restarts"):
        with pytest.raises(NoSampleYet):
            rates.rate(key, 90.0)
    clock.seconds = 1.0
    assert rates.rate("wraps", 5.0, wraps_at=WRAPS_AT, most_per_second=50.0) == 15.0
    with pytest.raises(NoSampleYet):
        rates.rate("restarts", 5.0)
