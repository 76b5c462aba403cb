from __future__ import annotations

import pytest

from jupyter_gpuperf.measure.bounds import Work
from jupyter_gpuperf.measure.chips import chip_of

H100 = chip_of(
    "NVIDIA H100 80GB HBM3",
    multiprocessors=132,
    memory_bytes=85_520_809_984,
    compute_capability=(9, 0),
)


@pytest.mark.parametrize(
    ("work", "bound_by", "floor_seconds"),
    [
        (Work(flop=22.2e9, traffic_bytes=6.65e9), "memory traffic", 6.65e9 / 3350e9),
        (Work(flop=2 * 8192**3, traffic_bytes=6 * 8192**2), "arithmetic", 2 * 8192**3 / 989e12),
    ],
    ids=["a convolution of three channels", "a large product"],
)
def test_the_longer_of_two_times_bounds_it(work, bound_by, floor_seconds):
    assert work.floor_seconds(H100, "bf16") == pytest.approx(floor_seconds)
    assert work.environment_entries(H100, "bf16", prefix="")["bound_by"] == bound_by


def test_of_a_chip_that_nothing_is_known_of_nothing_is_said():
    work = Work(flop=1e9, traffic_bytes=1e9)
    derived = chip_of(
        "a chip of nobody",
        multiprocessors=10,
        memory_bytes=1e9,
        compute_capability=(8, 6),
        clock_mhz=1000.0,
    )
    assert work.floor_seconds(derived, "bf16") is None  # its bandwidth is unknown
    for chip in (None, derived):
        assert work.environment_entries(chip, "bf16", prefix="bf16_") == {"bf16_flop_per_byte": 1.0}
    assert work.limits(None, "bf16", "pass_seconds", prefix="") == {}
