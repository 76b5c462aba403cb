"""Format numbers for people. Units are converted nowhere else."""

from __future__ import annotations

import math
import re
from typing import Final

from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.messages.translator import translated
from jupyter_gpuperf.schemas import Interval, Scalar

THIN_SPACE: Final = "\u202f"
MISSING: Final = "\u2013"
SIGNIFICANT_DIGITS: Final = 3
LABELS: Final = {"present": Message("current"), "golden": Message("common recipe")}
"""Names in stored results → the labels shown for them."""
COUNTED_NAME: Final = re.compile(r"(.+)_(\d+)_(thread|worker)s?")
"""A figure name that ends in a number of threads or workers, such as ``read_4_threads``."""

# Unit suffix → (size in base units, symbol); the largest that fits is used.
SCALES: Final[dict[str, tuple[tuple[float, str], ...]]] = {
    # Rates use powers of a thousand, as in chips' data sheets.
    "bytes_per_second": ((1e12, "TB/s"), (1e9, "GB/s"), (1e6, "MB/s"), (1e3, "kB/s"), (1.0, "B/s")),
    "flops_per_second": ((1e12, "TFLOP/s"), (1e9, "GFLOP/s"), (1e6, "MFLOP/s"), (1.0, "FLOP/s")),
    "seconds": ((60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")),
    "bytes": ((2.0**40, "TiB"), (2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1.0, "B")),
    "percent": ((1.0, "%"),),
    "ratio": ((0.01, "%"),),
    "watts": ((1.0, "W"),),
    "J": ((1e6, "MJ"), (1e3, "kJ"), (1.0, "J"), (1e-3, "mJ")),
    "celsius": ((1.0, "°C"),),
    "mhz": ((1.0, "MHz"),),
}


def split_name(name: str, unit: str = "") -> tuple[Message, str]:
    """Split a figure's name into its label (in English) and its unit: ``batch_seconds`` → batch, seconds.

    ``unit`` is used if the name has no unit suffix. The unit of a rate includes what is counted:
    ``samples_per_second`` → throughput, ``samples/s``.
    """
    for ending in SCALES:
        if name.endswith(f"_{ending}"):
            return _label(name.removesuffix(f"_{ending}")), ending
    if name.endswith("speedup"):
        return _label(name), "×"
    if name.endswith("_per_second"):
        what, _, things = name.removesuffix("_per_second").rpartition("_")
        return _label(what) or Message("throughput"), f"{things}/s"
    return _label(name), unit


def format_interval(interval: Interval, unit: str) -> tuple[str, str]:
    """Return a value and its interval on the same scale: ``11.2 ms`` and ``[10.9, 11.6]``."""
    factor, symbol = scale_of(interval.value, unit)
    decimals = _decimals(interval.value / factor, (interval.high - interval.low) / factor)
    figures = (interval.value, interval.low, interval.high)
    value, low, high = (format_number(each / factor, decimals) for each in figures)
    exact = interval.low == interval.high
    return f"{value}{_suffix(symbol)}", "" if exact else f"[{low}, {high}]"


def format_quantity(value: Scalar | None, unit: str = "") -> str:
    """Return one value with its unit, or a dash for ``None``."""
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return Message("yes" if value else "no")
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not unit:
        return format_number(value, 0)
    factor, symbol = scale_of(value, unit)
    return f"{format_number(value / factor, _decimals(value / factor))}{_suffix(symbol)}"


def format_parameter(name: str, value: Scalar) -> str:
    """Return a parameter in the reader's language, without rounding its value: ``time limit 30 s``."""
    label, unit = split_name(name)
    if isinstance(value, bool | str) or not unit:
        return f"{translated(label)} {translated(format_quantity(value))}"
    factor, symbol = scale_of(value, unit)
    return f"{translated(label)} {value / factor:g}{_suffix(symbol)}"


def format_number(value: float, decimals: int) -> str:
    """Return a number with thin spaces between thousands: ``5 710``."""
    return f"{value:,.{decimals}f}".replace(",", THIN_SPACE)


def format_elapsed(seconds: float) -> str:
    """Return an elapsed time: ``7 s``, ``2 min 05 s``."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _label(name: str) -> Message:
    if match := COUNTED_NAME.fullmatch(name):
        what, count, unit = _label(match[1]), int(match[2]), match[3]
        if unit == "thread":
            return Message.counted(
                "{what} {count} thread", "{what} {count} threads", count=count, what=what
            )
        return Message.counted(
            "{what} {count} worker", "{what} {count} workers", count=count, what=what
        )
    return LABELS.get(name) or Message.from_template(name.replace("_", " "))


def scale_of(value: float, unit: str) -> tuple[float, str]:
    """Return the divisor that scales a value in this unit for display, and the symbol to append."""
    steps = SCALES.get(unit, ((1.0, unit),))
    # Use minutes only from 2 min on: 90 s is still easy to read.
    fits = (step for step in steps if abs(value) >= step[0] * (2 if step[1] == "min" else 1))
    base = next((step for step in steps if step[0] == 1.0), steps[-1])
    return next(fits, steps[-1] if value else base)


def _decimals(value: float, width: float = 0.0) -> int:
    """Return the number of decimals for three significant digits; more if the ends of the interval would look equal."""
    if value == 0 or not math.isfinite(value):
        return 0
    decimals = SIGNIFICANT_DIGITS - 1 - math.floor(math.log10(abs(value)))
    if width > 0:
        decimals = max(decimals, min(decimals + 2, -math.floor(math.log10(width))))
    return max(0, decimals)


def _suffix(symbol: str) -> str:
    return f"\u00a0{symbol}" if symbol else ""
