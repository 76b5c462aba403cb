"""The figures from data sheets, one row per chip. :class:`chips.Chip` explains them.

This module uses only the standard library.
"""

from __future__ import annotations

from typing import Final

FORMATS: Final = ("fp64", "fp32", "tf32", "fp16", "bf16", "fp8")

Row = tuple[str, tuple[int, ...], int, float, tuple[float, ...], float, float, int, str]

# fmt: off
ROWS: Final[tuple[Row, ...]] = (
    # name, PCI ids, multiprocessors, GiB, dense Tflop/s in the order of FORMATS (0: not supported),
    # SM clock in MHz at which these rates are reached, GB/s of device memory, PCIe generation, page on nvidia.com
    ("T4", (0x1EB8,), 40, 16, (0, 8.1, 0, 65, 0, 0),
     1590, 320, 3, "data-center/tesla-t4"),
    ("V100 SXM2", (0x1DB1, 0x1DB5, 0x1DB8), 80, 16, (7.8, 15.7, 0, 125, 0, 0),
     1530, 900, 3, "data-center/v100"),
    ("V100 PCIe", (0x1DB4, 0x1DB6), 80, 16, (7, 14, 0, 112, 0, 0),
     1380, 900, 3, "data-center/v100"),
    ("A10", (0x2236,), 72, 24, (0, 31.2, 62.5, 125, 125, 0),
     1695, 600, 4, "data-center/products/a10-gpu"),
    ("A30", (0x20B7,), 56, 24, (5.2, 10.3, 82, 165, 165, 0),
     1440, 933, 4, "data-center/products/a30-gpu"),
    ("A40", (0x2235,), 84, 48, (0, 37.4, 74.8, 149.7, 149.7, 0),
     1740, 696, 4, "data-center/a40"),
    ("A100 40GB", (0x20B0, 0x20B1, 0x20F1), 108, 40, (9.7, 19.5, 156, 312, 312, 0),
     1410, 1555, 4, "data-center/a100"),
    ("A100 80GB SXM", (0x20B2,), 108, 80, (9.7, 19.5, 156, 312, 312, 0),
     1410, 2039, 4, "data-center/a100"),
    ("A100 80GB PCIe", (0x20B5,), 108, 80, (9.7, 19.5, 156, 312, 312, 0),
     1410, 1935, 4, "data-center/a100"),
    ("L4", (0x27B8,), 58, 24, (0, 30.3, 60, 121, 121, 242.5),
     2040, 300, 4, "data-center/l4"),
    ("L40S", (0x26B9,), 142, 48, (0, 91.6, 183, 362, 362, 733),
     2520, 864, 4, "data-center/l40s"),
    ("GeForce RTX 3090", (0x2204,), 82, 24, (0, 35.6, 35.6, 71, 71, 0),
     1695, 936, 4, "geforce/graphics-cards/30-series/rtx-3090-3090ti"),
    ("GeForce RTX 4090", (0x2684,), 128, 24, (0, 82.6, 82.6, 165.2, 165.2, 330.3),
     2520, 1008, 4, "geforce/graphics-cards/40-series/rtx-4090"),
    ("RTX 6000 Ada", (0x26B1,), 142, 48, (0, 91.1, 182.1, 364.2, 364.2, 728.5),
     2505, 960, 4, "design-visualization/rtx-6000"),
    ("H100 PCIe", (0x2331,), 114, 80, (26, 51.2, 378, 756, 756, 1513),
     1620, 2039, 5, "data-center/h100"),
    ("H100 SXM", (0x2330,), 132, 80, (34, 67, 494.5, 989, 989, 1979),
     1830, 3350, 5, "data-center/h100"),
    ("H200 SXM", (0x2335,), 132, 141, (34, 67, 494.5, 989, 989, 1979),
     1830, 4800, 5, "data-center/h200"),
    ("B200", (0x2901,), 148, 180, (37, 75, 1125, 2250, 2250, 4500),
     1965, 7700, 5, "data-center/dgx-b200"),
)
# fmt: on
