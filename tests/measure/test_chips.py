from __future__ import annotations

from types import SimpleNamespace

import pytest

from jupyter_gpuperf.measure.chips import chip_of
from jupyter_gpuperf.measure.device import limits_of

H100 = {
    "name": "NVIDIA H100 80GB HBM3",
    "pci_id": 0x2330,
    "multiprocessors": 132,
    "memory_bytes": 85_520_809_984,
    "compute_capability": (9, 0),
    "clock_mhz": 1980.0,
}


def test_an_h100_has_its_data_sheets_limits():
    chip = chip_of(**H100)
    assert (chip.name, chip.not_recognized) == ("H100 SXM", "")
    assert chip.flops["bf16"] == 989e12
    assert chip.bytes_per_second == 3350e9
    assert (chip.pcie_generation, chip.pcie_lanes) == (5, 16)
    assert chip.limit_entries("bf16") == {"limits_from": chip.source, "limit_clock_mhz": 1830.0}


def test_without_a_pci_id_the_name_decides():
    assert chip_of(**{**H100, "pci_id": None}).name == "H100 SXM"


def test_the_same_name_with_other_multiprocessors_is_derived():
    chip = chip_of(**{**H100, "multiprocessors": 66})
    assert "other multiprocessors" in chip.not_recognized
    assert chip.derived_formats == set(chip.flops)
    assert chip.flops["bf16"] == pytest.approx(989e12 / 2 * 1980 / 1830, rel=0.01)
    assert chip.limit_entries("bf16")["limits_from"] == "derived"


def test_a_part_of_a_device_is_not_taken_for_the_whole():
    name = "NVIDIA H100 80GB HBM3 MIG 1g.10gb"
    part = {"name": name, "memory_bytes": 10 * 2**30, "multiprocessors": 16}
    chip = chip_of(**{**H100, **part})
    assert "part of a GPU" in chip.not_recognized
    assert chip.flops["bf16"] == pytest.approx(989e12 * 16 / 132 * 1980 / 1830, rel=0.01)
    assert chip.bytes_per_second is None


def test_an_unknown_generation_has_no_limits():
    new = {"name": "NVIDIA R100", "pci_id": 0xFFFF, "compute_capability": (99, 0)}
    chip = chip_of(**{**H100, **new})
    assert chip.flops == {}
    assert chip.not_recognized == "NVIDIA R100 is not in the table of chips."
    assert chip.limit_entries("bf16")["limits_from"] is None


def test_rates_that_are_not_published_are_marked_as_derived():
    chip = chip_of(
        "NVIDIA GeForce RTX 5080",
        pci_id=0x2C02,
        multiprocessors=84,
        memory_bytes=15.9 * 2**30,
        compute_capability=(12, 0),
        clock_mhz=2700.0,
    )
    assert chip.flops["bf16"] == pytest.approx(112.6e12, rel=0.01)  # half rate with FP32
    assert chip.flops["int8"] == pytest.approx(450.2e12, rel=0.01)
    assert chip.limit_entries("bf16")["limits_from"] == "derived"
    assert chip.limit_entries()["limits_from"] is None


def test_a_laptops_limits_are_those_of_the_clocks_that_its_maker_chose():
    laptop = {
        "name": "NVIDIA GeForce RTX 4090 Laptop GPU",
        "pci_id": 0x2757,
        "multiprocessors": 76,
        "memory_bytes": 15.99 * 2**30,
        "compute_capability": (8, 9),
    }
    chip = chip_of(**laptop, clock_mhz=2040.0, memory_bytes_per_second=512e9)
    assert chip.flops["bf16"] == pytest.approx(2 * 256 * 76 * 2.04e9)
    assert (chip.clock_mhz, chip.bytes_per_second) == (2040.0, 512e9)
    unknown_clock = chip_of(**laptop)
    assert unknown_clock.flops == {}
    assert unknown_clock.bytes_per_second == 576e9  # the fastest memory that it is sold with


def test_an_integrated_gpus_memory_clock_is_not_trusted():
    properties = SimpleNamespace(
        name="Orin", major=8, minor=7, multi_processor_count=14, total_memory=30622 * 2**20,
        clock_rate=930_000, memory_clock_rate=1_300_000, memory_bus_width=128, is_integrated=1,
    )  # fmt: skip
    torch = SimpleNamespace(cuda=SimpleNamespace(get_device_properties=lambda _device: properties))
    chip = limits_of(torch, SimpleNamespace(type="cuda"))
    assert chip.name == "Jetson AGX Orin 32GB"
    assert chip.bytes_per_second == 204.8e9
    properties.name = "A future Jetson"
    assert limits_of(torch, SimpleNamespace(type="cuda")).bytes_per_second is None


@pytest.mark.parametrize(
    ("name", "multiprocessors", "gib", "lanes"),
    [
        ("NVIDIA GeForce RTX 4060", 24, 8, 8),
        ("NVIDIA A40", 84, 48, 16),
        ("NVIDIA GH200 480GB", 132, 96, None),  # NVLink-C2C instead
    ],
)
def test_a_card_with_half_a_link_is_not_held_against_a_whole_one(name, multiprocessors, gib, lanes):
    chip = chip_of(
        name,
        multiprocessors=multiprocessors,
        memory_bytes=gib * 2**30,
        compute_capability=(8, 9),
    )
    assert (chip.not_recognized, chip.pcie_lanes) == ("", lanes)
