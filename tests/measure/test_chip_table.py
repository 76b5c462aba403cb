"""Whether the table of chips agrees with itself: a mistyped figure would not."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections import Counter

import pytest

from jupyter_gpuperf.measure.chip_table import FORMATS, TABLE, chip_entries
from jupyter_gpuperf.measure.chips import FMA_PER_CLOCK, chip_of

with TABLE.open(encoding="utf-8", newline="") as lines:
    ROWS = list(csv.DictReader(lines))


def limits_of(entry):
    chip = chip_of(
        entry.device_names[0],
        pci_id=entry.pci_ids[0] if entry.pci_ids else None,
        multiprocessors=entry.multiprocessors,
        memory_bytes=entry.memory_gib[0] * 2**30,
        compute_capability=entry.compute_capability,
        clock_mhz=1500.0,
    )
    assert chip.name == entry.name or "can be any of these" in chip.not_recognized
    return chip


def test_published_tensor_rates_are_those_of_the_multiprocessors():
    """Multiprocessors x multiply-adds x clock is the data sheet's rate: a wrong row would not be."""
    published = {}
    calculated = {}
    for entry in chip_entries():
        per_clock = dict(zip(FORMATS, FMA_PER_CLOCK[entry.compute_capability], strict=True))
        for kind in ("tf32", "fp16", "bf16", "fp8"):
            if rate := entry.published.get(kind):
                published[entry.name, kind] = rate
                all_clocks = 2e6 * entry.multiprocessors * entry.clock_mhz
                calculated[entry.name, kind] = (
                    all_clocks * per_clock[kind] * entry.tensor_rate_ratio
                )
    assert calculated == pytest.approx(published, rel=0.03)


def test_formats_relate_as_in_every_data_sheet():
    for entry in chip_entries():
        flops = limits_of(entry).flops
        rates = [flops[kind] for kind in ("fp64", "fp32", "tf32", "fp16", "fp8") if kind in flops]
        assert rates == sorted(rates), entry.name
        assert min(flops.values()) > 0, entry.name
        if "fp16" not in flops:
            continue
        ratios = {kind: rate / flops["fp16"] for kind, rate in flops.items()}
        expected = {"tf32": 0.5, "bf16": 1.0, "fp8": 2.0}
        expected = {kind: ratio for kind, ratio in expected.items() if kind in ratios}
        assert {kind: ratios[kind] for kind in expected} == pytest.approx(expected, rel=0.03)
        # GeForce accumulates in FP32 at half of the rate, and computes integers at the full one.
        assert round(ratios.get("int8", 2.0), 1) in (2.0, 4.0), entry.name


def test_formats_that_a_generation_lacks_are_left_out():
    have = {entry.name: set(limits_of(entry).flops) for entry in chip_entries()}
    assert have["V100 SXM2"] == {"fp64", "fp32", "fp16"}
    assert have["T4"] == {"fp64", "fp32", "fp16", "int8"}
    assert have["A800 80GB SXM"] == {"fp64", "fp32", "tf32", "fp16", "bf16", "int8"}
    assert have["L40S"] == have["H20"] == set(FORMATS) - {"fp4"}
    assert have["GeForce RTX 5070"] == set(FORMATS)
    assert have["H800 SXM"] == set(FORMATS) - {"fp4", "fp64"}  # limited, and not published


def test_bandwidth_is_bus_width_times_data_rate():
    rows = [row for row in ROWS if row["memory_gbit_per_second_per_pin"]]
    published = {row["name"]: float(row["memory_gb_per_second"]) for row in rows}
    calculated = {
        row["name"]: float(row["memory_gbit_per_second_per_pin"]) * int(row["memory_bus_bits"]) / 8
        for row in rows
    }
    assert calculated == pytest.approx(published, rel=0.02)


def test_every_chip_has_its_source():
    for row in ROWS:
        published = [row[f"{kind}_{'tops' if kind == 'int8' else 'tflops'}"] for kind in FORMATS]
        has_rates = any(each.strip("-") for each in published)
        assert row["board_source"], row["name"]
        assert bool(row["published_source"]) == has_rates, row["name"]


def test_no_two_chips_are_the_same_device():
    assert len({entry.name for entry in chip_entries()}) == len(chip_entries())
    devices = Counter(
        (pci_id, name, gib, entry.multiprocessors)
        for entry in chip_entries()
        for pci_id in entry.pci_ids
        for name in entry.device_names
        for gib in entry.memory_gib
    )
    assert [each for each, count in devices.items() if count > 1] == []


def test_the_table_is_read_when_a_device_is_looked_up():
    code = (
        "import sys; import jupyter_gpuperf.benchmarks; "
        "from jupyter_gpuperf.measure import chip_table; "
        "assert 'csv' not in sys.modules; "
        "assert not chip_table.chip_entries.cache_info().currsize"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
