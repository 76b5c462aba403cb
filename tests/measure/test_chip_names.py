"""Which chip a device is, by what the driver says of it."""

from __future__ import annotations

import pytest

from jupyter_gpuperf.measure.chip_table import find_chip
from jupyter_gpuperf.messages import Message

# A device name as NVML reports it → the chip, by the name alone: so it is on WSL, where there is no PCI id.
BY_NAME = {
    # Data centre; the vendor is missing in the names of older drivers.
    "Tesla P100-SXM2-16GB": "P100 SXM2",
    "Tesla P100-PCIE-16GB": "P100 PCIe 16GB",
    "Tesla P100-PCIE-12GB": "P100 PCIe 12GB",
    "Tesla P40": "P40",
    "Tesla V100-SXM2-16GB": "V100 SXM2",
    "Tesla V100-SXM2-32GB": "V100 SXM2",
    "Tesla V100-SXM3-32GB": "V100 SXM2",
    "Tesla V100-PCIE-16GB": "V100 PCIe",
    "Tesla V100S-PCIE-32GB": "V100S PCIe",
    "Tesla T4": "T4",
    "NVIDIA A2": "A2",
    "NVIDIA A10": "A10",
    "NVIDIA A10G": "A10G",
    "NVIDIA A16": "A16",
    "NVIDIA A30": "A30",
    "NVIDIA A40": "A40",
    "A100-SXM4-40GB": "A100 40GB SXM",
    "NVIDIA A100-SXM4-40GB": "A100 40GB SXM",
    "NVIDIA A100-PCIE-40GB": "A100 40GB PCIe",
    "NVIDIA A100-SXM4-80GB": "A100 80GB SXM",
    "NVIDIA A100 80GB PCIe": "A100 80GB PCIe",
    "NVIDIA A100X": "A100X",
    "NVIDIA A800-SXM4-80GB": "A800 80GB SXM",
    "NVIDIA A800 80GB PCIe": "A800 80GB PCIe",
    "NVIDIA A800 40GB Active": "A800 40GB Active",
    "NVIDIA L4": "L4",
    "NVIDIA L20": "L20",
    "NVIDIA L40": "L40",
    "NVIDIA L40S": "L40S",
    "NVIDIA H100 PCIe": "H100 PCIe",
    "NVIDIA H100 80GB HBM3": "H100 SXM",
    "NVIDIA H100 NVL": "H100 NVL",
    "NVIDIA H200": "H200 SXM",
    "NVIDIA H200 NVL": "H200 NVL",
    "NVIDIA H800": "H800 SXM",
    "NVIDIA H800 PCIe": "H800 PCIe",
    "NVIDIA H20": "H20",
    "NVIDIA GH200 480GB": "GH200 96GB",
    "NVIDIA GH200 144G HBM3e": "GH200 144GB",
    "NVIDIA B200": "B200",
    "NVIDIA GB200": "GB200",
    "NVIDIA B300 SXM6 AC": "B300",
    "NVIDIA GB300": "GB300",
    "NVIDIA GB10": "GB10",
    # Workstations: the digits repeat from one generation to the next.
    "NVIDIA TITAN RTX": "TITAN RTX",
    "TITAN RTX": "TITAN RTX",
    "Quadro RTX 6000": "Quadro RTX 6000",
    "Quadro RTX 8000": "Quadro RTX 8000",
    "NVIDIA RTX A2000": "RTX A2000",
    "NVIDIA RTX A2000 12GB": "RTX A2000 12GB",
    "NVIDIA RTX A4000": "RTX A4000",
    "NVIDIA RTX A4500": "RTX A4500",
    "NVIDIA RTX A5000": "RTX A5000",
    "NVIDIA RTX A6000": "RTX A6000",
    "NVIDIA RTX A5000 Laptop GPU": "RTX A5000 Laptop GPU",
    "NVIDIA RTX 2000 Ada Generation": "RTX 2000 Ada Generation",
    "NVIDIA RTX 4000 Ada Generation": "RTX 4000 Ada Generation",
    "NVIDIA RTX 4000 SFF Ada Generation": "RTX 4000 SFF Ada Generation",
    "NVIDIA RTX 5000 Ada Generation": "RTX 5000 Ada Generation",
    "NVIDIA RTX 5000 Ada Generation Laptop GPU": "RTX 5000 Ada Generation Laptop GPU",
    "NVIDIA RTX 6000 Ada Generation": "RTX 6000 Ada Generation",
    "NVIDIA RTX PRO 6000 Blackwell Workstation Edition": (
        "RTX PRO 6000 Blackwell Workstation Edition"
    ),
    "NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition": (
        "RTX PRO 6000 Blackwell Max-Q Workstation Edition"
    ),
    "NVIDIA RTX PRO 6000 Blackwell Server Edition": "RTX PRO 6000 Blackwell Server Edition",
    "NVIDIA RTX PRO 5000 Blackwell": "RTX PRO 5000 Blackwell",
    "NVIDIA RTX PRO 4000 Blackwell SFF Edition": "RTX PRO 4000 Blackwell SFF Edition",
    "NVIDIA RTX PRO 5000 Blackwell Generation Laptop GPU": (
        "RTX PRO 5000 Blackwell Generation Laptop GPU"
    ),
    # GeForce, desktops and laptops.
    "GeForce RTX 2080 Ti": "GeForce RTX 2080 Ti",
    "NVIDIA GeForce RTX 2080 SUPER": "GeForce RTX 2080 SUPER",
    "NVIDIA GeForce RTX 2080 Super with Max-Q Design": "GeForce RTX 2080 Super laptop",
    "NVIDIA GeForce RTX 3090": "GeForce RTX 3090",
    "NVIDIA GeForce RTX 3090 Ti": "GeForce RTX 3090 Ti",
    "NVIDIA GeForce RTX 3080 Ti": "GeForce RTX 3080 Ti",
    "NVIDIA GeForce RTX 3080 Ti Laptop GPU": "GeForce RTX 3080 Ti Laptop GPU",
    "NVIDIA GeForce RTX 3060 Laptop GPU": "GeForce RTX 3060 Laptop GPU",
    "NVIDIA GeForce RTX 4090": "GeForce RTX 4090",
    "NVIDIA GeForce RTX 4090 D": "GeForce RTX 4090 D",
    "NVIDIA GeForce RTX 4090 Laptop GPU": "GeForce RTX 4090 Laptop GPU",
    "NVIDIA GeForce RTX 4070 Ti SUPER": "GeForce RTX 4070 Ti SUPER",
    "NVIDIA GeForce RTX 4060 Laptop GPU": "GeForce RTX 4060 Laptop GPU",
    "NVIDIA GeForce RTX 5090": "GeForce RTX 5090",
    "NVIDIA GeForce RTX 5090 D": "GeForce RTX 5090 D",
    "NVIDIA GeForce RTX 5090 D v2": "GeForce RTX 5090 D v2",
    "NVIDIA GeForce RTX 5090 Laptop GPU": "GeForce RTX 5090 Laptop GPU",
    "NVIDIA GeForce RTX 5060 Ti": "GeForce RTX 5060 Ti",
}

PART = "part of a GPU"
UNKNOWN = "not in the table"
SEVERAL = "can be any of these chips"

# A device name → why there is no chip.
NO_CHIP = {
    "NVIDIA A100-SXM4-40GB MIG 1g.5gb": PART,
    "NVIDIA H100 80GB HBM3 MIG 3g.40gb": PART,
    "NVIDIA RTX PRO 6000 Blackwell Server Edition MIG 1g.24gb": PART,
    "GRID A100-40C": PART,
    "GRID A100D-1-10C": PART,
    "GRID T4-16Q": PART,
    "GRID V100D-32Q": PART,
    "GRID T4-2B4": PART,
    "NVIDIA A40-48Q": PART,
    "NVIDIA L40S-24C": PART,
    "NVIDIA RTX6000-Ada-48Q": PART,
    "NVIDIA A16-2B": PART,
    "NVIDIA H100 64GB HBM2": UNKNOWN,
    "NVIDIA H100": UNKNOWN,
    "NVIDIA H20-3e": UNKNOWN,
    "NVIDIA H800 NVL": UNKNOWN,
    "NVIDIA R100": UNKNOWN,
    "NVIDIA GeForce RTX 6090": UNKNOWN,
    "NVIDIA RTX 6000D": UNKNOWN,
    "NVIDIA GeForce GTX 1080 Ti": UNKNOWN,
    "NVIDIA GeForce GTX 1650": UNKNOWN,
    "NVIDIA CMP 170HX": UNKNOWN,
    "NVIDIA DRIVE P2021": UNKNOWN,
    "NVIDIA Graphics Device": UNKNOWN,
    "NVIDIA": UNKNOWN,
    "": UNKNOWN,
    "Device 0x2f04": UNKNOWN,
    # The same name on two cards, or on a card and in a laptop.
    "NVIDIA GeForce RTX 2080": SEVERAL,
    "Quadro RTX 5000": SEVERAL,
    "NVIDIA GeForce RTX 3080": SEVERAL,
    "NVIDIA GeForce RTX 3060 Ti": SEVERAL,
    "NVIDIA GeForce RTX 4060 Ti": SEVERAL,
    "Orin (nvgpu)": SEVERAL,
}

GIB = float(1 << 30)


def test_a_device_is_known_by_its_whole_name():
    assert {name: getattr(find_chip(name), "name", None) for name in BY_NAME} == BY_NAME


def test_an_unknown_device_is_no_chip_and_the_reason_is_said():
    for name, reason in NO_CHIP.items():
        found = find_chip(name)
        assert isinstance(found, Message), name
        assert reason in found, name


@pytest.mark.parametrize(
    ("name", "facts", "chip"),
    [
        ("NVIDIA GeForce RTX 3080", {"pci_id": 0x2206}, "GeForce RTX 3080 10GB"),
        ("NVIDIA GeForce RTX 3080", {"pci_id": 0x220A}, "GeForce RTX 3080 12GB"),
        ("NVIDIA GeForce RTX 3080", {"multiprocessors": 70}, "GeForce RTX 3080 12GB"),
        ("NVIDIA GeForce RTX 3060 Ti", {"pci_id": 0x24C9}, "GeForce RTX 3060 Ti GDDR6X"),
        ("NVIDIA GeForce RTX 4060 Ti", {"memory_bytes": 15.9 * GIB}, "GeForce RTX 4060 Ti 16GB"),
        ("NVIDIA GeForce RTX 2080", {"pci_id": 0x1E82}, "GeForce RTX 2080"),
        ("NVIDIA GeForce RTX 2080", {"pci_id": 0x1E90}, "GeForce RTX 2080 laptop"),
        # One id for two products.
        ("NVIDIA A2", {"pci_id": 0x25B6}, "A2"),
        ("NVIDIA A16", {"pci_id": 0x25B6}, "A16"),
        ("Quadro RTX 8000", {"pci_id": 0x1E30}, "Quadro RTX 8000"),
        # An engineering name, and an id that is newer than the table.
        ("NVIDIA A100-PG506-207", {"pci_id": 0x20B0}, "A100 40GB SXM"),
        ("NVIDIA GeForce RTX 4090", {"pci_id": 0xFFFF}, "GeForce RTX 4090"),
        # An id of the 12 GB card; the memory is the other one's.
        (
            "NVIDIA GeForce RTX 3060",
            {"pci_id": 0x2544, "memory_bytes": 8 * GIB},
            "GeForce RTX 3060 8GB",
        ),
        ("Orin", {"multiprocessors": 16, "memory_bytes": 61.4 * GIB}, "Jetson AGX Orin 64GB"),
        ("Orin", {"multiprocessors": 8, "memory_bytes": 15.3 * GIB}, "Jetson Orin NX 16GB"),
        ("NVIDIA Thor", {"multiprocessors": 20, "memory_bytes": 122.8 * GIB}, "Jetson T5000"),
        # What devices report: error correction and the driver take a part.
        ("NVIDIA A10G", {"multiprocessors": 80, "memory_bytes": 22587 * 2**20}, "A10G"),
        ("NVIDIA L40S", {"multiprocessors": 142, "memory_bytes": 45589 * 2**20}, "L40S"),
        ("NVIDIA H20", {"multiprocessors": 78, "memory_bytes": 97285 * 2**20}, "H20"),
        (
            "NVIDIA B300 SXM6 AC",
            {"multiprocessors": 148, "memory_bytes": 275040 * 2**20},
            "B300",
        ),
        (
            "NVIDIA GH200 144G HBM3e",
            {"multiprocessors": 132, "memory_bytes": 146831 * 2**20},
            "GH200 144GB",
        ),
    ],
)
def test_what_the_name_leaves_open_is_told_by_id_multiprocessors_and_memory(name, facts, chip):
    found = find_chip(name, **facts)
    assert not isinstance(found, Message), found
    assert found.name == chip


@pytest.mark.parametrize(
    ("name", "facts", "reason"),
    [
        ("NVIDIA H100 80GB HBM3", {"multiprocessors": 66}, "other multiprocessors or memory"),
        # The DGX Station's GB300 has less memory than the rack's, and a slower one.
        ("NVIDIA GB300", {"memory_bytes": 256703 * 2**20}, "other multiprocessors or memory"),
        ("NVIDIA H200", {"pci_id": 0x2330}, "its PCI id belongs to H100 SXM"),
        # A virtual GPU has the id of the board.
        ("NVIDIA A40-48Q", {"pci_id": 0x2235}, PART),
        ("Orin", {"multiprocessors": 8, "memory_bytes": 7.4 * GIB}, SEVERAL),
    ],
)
def test_a_device_that_differs_from_its_namesake_is_no_chip(name, facts, reason):
    found = find_chip(name, **facts)
    assert isinstance(found, Message), found
    assert reason in found
