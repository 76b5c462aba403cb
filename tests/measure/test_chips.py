from __future__ import annotations

import pytest

from jupyter_gpuperf.measure.chips import CHIPS, FMA_PER_CLOCK, chip_of

H100 = {
    "pci_id": 0x2330,
    "multiprocessors": 132,
    "memory_bytes": 85_520_809_984,
    "compute_capability": (9, 0),
    "clock_mhz": 1980.0,
}


def test_an_h100_is_found_by_what_it_is():
    chip = chip_of(**H100)
    assert (chip.name, chip.derived) == ("H100 SXM", False)
    assert chip.flops["bf16"] == 989e12
    assert chip.bytes_per_second == 3350e9


@pytest.mark.parametrize("chip", CHIPS, ids=lambda chip: chip.name)
def test_the_table_agrees_with_arithmetic(chip):
    """Multiprocessors x multiply-adds x clock is the data sheet's rate: a wrong row would not be."""
    capability = {
        "T4": (7, 5),
        "V100": (7, 0),
        "A100": (8, 0),
        "A30": (8, 0),
        "H100": (9, 0),
        "H200": (9, 0),
        "A10": (8, 6),
        "A40": (8, 6),
        "L4": (8, 9),
        "L40S": (8, 9),
        "RTX 6000 Ada": (8, 9),
        "GeForce RTX 4090": (8, 9),
        "GeForce RTX 3090": (8, 6),
    }.get(chip.name) or next(
        (c for name, c in [("V100", (7, 0)), ("A100", (8, 0)), ("H100", (9, 0)), ("H200", (9, 0))]
         if chip.name.startswith(name)),
        None,
    )  # fmt: skip
    if chip.name == "B200":
        assert chip.flops["fp16"] == 2 * chip.flops["tf32"]  # no published clock to go by
        return
    tensor, _ = FMA_PER_CLOCK[capability]
    if chip.name.startswith("GeForce"):
        tensor //= 2  # halved with FP32 accumulation
    calculated = 2 * tensor * chip.multiprocessors * chip.clock_mhz * 1e6
    assert calculated == pytest.approx(chip.flops["fp16"], rel=0.02)


def test_a_rate_never_grows_with_precision():
    for chip in CHIPS:
        ordered = [
            chip.flops[each]
            for each in ("fp64", "fp32", "tf32", "fp16", "fp8")
            if each in chip.flops
        ]
        assert ordered == sorted(ordered), chip.name


def test_no_pci_id_is_in_two_rows():
    ids = [each for chip in CHIPS for each in chip.pci_ids]
    assert len(ids) == len(set(ids))


def test_the_same_name_with_other_multiprocessors_is_derived():
    chip = chip_of(**{**H100, "multiprocessors": 66})
    assert chip.derived
    assert chip.flops["bf16"] == pytest.approx(989e12 / 2 * 1980 / 1830, rel=0.01)


def test_a_part_of_a_device_is_not_taken_for_the_whole():
    chip = chip_of(**{**H100, "memory_bytes": 10 * 2**30, "multiprocessors": 16})
    assert chip.derived


def test_without_a_pci_id_nothing_published_is_claimed():
    assert chip_of(**{**H100, "pci_id": None}).derived


def test_an_unknown_generation_has_no_limits():
    assert chip_of(**{**H100, "pci_id": 0xFFFF, "compute_capability": (99, 0)}) is None
