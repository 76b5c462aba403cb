"""Numbers as people read them."""

from __future__ import annotations

import pytest

from jupyter_gpuperf.display.numbers import (
    format_elapsed,
    format_interval,
    format_parameter,
    format_quantity,
    split_name,
)
from jupyter_gpuperf.schemas import Interval

NARROW, FIXED = "\u202f", "\u00a0"  # between thousands, and before a unit


def interval(low, value, high):
    return Interval(value=value, low=low, high=high)


@pytest.mark.parametrize(
    ("name", "label", "unit"),
    [
        ("batch_seconds", "batch", "seconds"),
        ("worker_startup_seconds", "worker startup", "seconds"),
        ("samples_per_second", "throughput", "samples/s"),
        ("read_bytes_per_second", "read", "bytes_per_second"),
        ("wait_ratio", "wait", "ratio"),
        ("golden_batches_per_second", "common recipe", "batches/s"),
        ("rounds", "rounds", "count"),
    ],
)
def test_a_name_is_split_into_what_it_is_and_the_unit_it_wears(name, label, unit):
    assert split_name(name, "count") == (label, unit)


@pytest.mark.parametrize(
    ("measured", "unit", "value", "around"),
    [
        (interval(0.0109, 0.0112, 0.0116), "seconds", "11.2_ms", "[10.9, 11.6]"),
        (interval(5600, 5710.2, 5800), "samples/s", "5|710_samples/s", "[5|600, 5|800]"),
        (interval(0.42, 0.42, 0.42), "seconds", "420_ms", ""),
        (interval(3.3e12, 3.35e12, 3.4e12), "bytes_per_second", "3.35_TB/s", "[3.30, 3.40]"),
        (interval(0.305, 0.31, 0.32), "ratio", "31.0_%", "[30.5, 32.0]"),
        (interval(90, 95, 99), "seconds", "95.0_s", "[90.0, 99.0]"),
        (interval(0, 0, 0), "seconds", "0_s", ""),
    ],
)
def test_value_and_interval_share_one_scale(measured, unit, value, around):
    expected = (value, around)
    assert format_interval(measured, unit) == tuple(
        each.replace("_", FIXED).replace("|", NARROW) for each in expected
    )


def test_a_narrow_interval_keeps_the_digits_that_tell_its_ends_apart():
    assert format_interval(interval(4.331e-3, 4.333e-3, 4.335e-3), "seconds") == (
        f"4.333{FIXED}ms",
        "[4.331, 4.335]",
    )


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (None, "", "\u2013"),
        (True, "", "yes"),
        ("bf16", "", "bf16"),
        (64, "", "64"),
        (700.0, "watts", f"700{FIXED}W"),
        (80 * 2**30, "bytes", f"80.0{FIXED}GiB"),
    ],
)
def test_a_quantity_wears_its_unit_and_a_missing_one_is_a_dash(value, unit, words):
    assert format_quantity(value, unit) == words


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("time_limit_seconds", 30.0, f"time limit 30{FIXED}s"),
        ("batch_size", 64, "batch size 64"),
        ("pin_memory", False, "pin memory no"),
        ("precision", "bf16", "precision bf16"),
    ],
)
def test_a_setting_is_said_as_it_was_set(name, value, words):
    assert format_parameter(name, value) == words


def test_elapsed_time_counts_seconds_then_minutes():
    assert [format_elapsed(each) for each in (0.9, 59, 125)] == ["0 s", "59 s", "2 min 05 s"]
