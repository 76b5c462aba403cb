"""A benchmark's result: an object with the same content as text and as HTML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from jupyter_gpuperf.display.blocks import Block, Heading, Line, Table
from jupyter_gpuperf.display.document import DisplayedOnce, PlainDataView, joined, warning_line
from jupyter_gpuperf.display.numbers import (
    format_interval,
    format_parameter,
    format_quantity,
    split_name,
)
from jupyter_gpuperf.errors import require_package
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.results.subject import DEVICE_NAMES
from jupyter_gpuperf.schemas import BenchmarkResult, Interval, Scalar

HIDDEN_CONDITIONS: Final = ("interpreter", "platform")
"""Environment entries that are too long for the environment line; they are only in ``.environment``."""


@dataclass(frozen=True, repr=False)
class Result(PlainDataView, DisplayedOnce):
    """The return value of ``%gpubench`` and ``gpuperf.bench``.

    Attributes
    ----------
    data
        The complete measurement, as sent over the wire.
    number
        The result's number among the stored results; ``None`` if it was not stored.
    best
        Figure → the highest value ever stored for this benchmark and device.
    comparison
        The lines of the comparison with the baseline; empty if none was requested.
    """

    data: BenchmarkResult
    number: int | None = None
    best: Mapping[str, float] = field(default_factory=dict)
    comparison: Sequence[str] = ()

    @property
    def benchmark(self) -> str:
        """The benchmark's name."""
        return self.data.benchmark

    @property
    def parameters(self) -> Mapping[str, Scalar]:
        """All parameters of the run, including defaults."""
        return MappingProxyType(self.data.parameters)

    @property
    def figures(self) -> Mapping[str, Interval]:
        """Figure → ``value``, ``low``, ``high`` (95 %), in seconds, bytes, or the unit in its name."""
        return MappingProxyType(self.data.figures)

    @property
    def samples(self) -> Mapping[str, tuple[float, ...]]:
        """Figure → the raw samples, in the order in which they were taken."""
        return MappingProxyType({name: tuple(each) for name, each in self.data.samples.items()})

    @property
    def environment(self) -> Mapping[str, Scalar | None]:
        """The conditions of the measurement: device, versions, and others that matter."""
        return MappingProxyType(self.data.environment)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Reasons to doubt the figures."""
        return tuple(self.data.warnings)

    def to_frame(self) -> Any:  # pandas is optional
        """Return the raw samples as a pandas DataFrame with the columns ``figure``, ``sample``, ``value``.

        Raises
        ------
        PackageMissing
            pandas is not installed.
        """
        require_package("pandas", "to_frame()")
        import pandas

        samples = [
            (name, index, value)
            for name, values in self.data.samples.items()
            for index, value in enumerate(values)
        ]
        return pandas.DataFrame(samples, columns=["figure", "sample", "value"])

    def plot(self) -> Any:  # matplotlib is optional
        """Plot each figure's samples in order, their distribution with the interval, and the roofline.

        The roofline is drawn if the result contains operations, bytes and the chip's limits. Returns the
        matplotlib Figure.

        Raises
        ------
        PackageMissing
            matplotlib is not installed.
        """
        from jupyter_gpuperf.display.plots import plot_of

        return plot_of(self.data)

    def terminal_name(self) -> str:
        """Return the benchmark's name."""
        return self.benchmark

    def blocks(self) -> Iterator[Block]:
        """Yield a row per figure, the warnings, the comparison, and the environment."""
        data = self.data
        given = [each for each in data.parameters.items() if each[1] != ""]
        yield Heading(data.benchmark, " · ".join(format_parameter(*each) for each in given))
        yield Table(list(rows(self)), looks=("label", "value", "quiet", "quiet"))
        yield from map(warning_line, data.warnings)
        yield from map(Line, self.comparison)
        if where := environment_line(data):
            yield Line(where, "quiet")


def rows(result: Result) -> Iterator[tuple[str, str, str, str]]:
    """Yield the label, value, interval and note of each figure, then of each limit that has no figure."""
    data = result.data
    for name, interval in data.figures.items():
        label, unit = split_name(name, data.unit)
        taken = len(data.samples.get(name, ()))
        note = joined([f"n = {taken}" if taken > 1 else "", *shares(result, name)])
        yield label, *format_interval(interval, unit), note
    for name, limit in data.limits.items():
        if name not in data.figures:
            label, unit = split_name(name, data.unit)
            yield label, format_quantity(limit, unit), "", Message("limit")


def shares(result: Result, name: str) -> Iterator[Message]:
    """Yield a figure's share of its limit, of the limit at the actual clock, and of this machine's best."""
    data = result.data
    value = data.figures[name].value
    if limit := data.limits.get(name):
        # For a duration, the limit is a minimum; for a rate, a maximum.
        is_time = name.endswith("_seconds")
        percent = 100 * (limit / value if is_time else value / limit)
        template = (
            "minimum {limit}, {percent:.0f} % reached" if is_time else "{percent:.0f} % of {limit}"
        )
        shown_limit = format_quantity(limit, split_name(name, data.unit)[1])
        yield Message(template, limit=shown_limit, percent=percent)
        clock, limit_clock = map(data.environment.get, ("clock_sm_mean_mhz", "limit_clock_mhz"))
        if name.endswith("_flops_per_second") and clock and limit_clock:
            percent *= float(limit_clock) / float(clock)
            yield Message("{percent:.0f} % at {clock:.0f} MHz", percent=percent, clock=float(clock))
    if (best := result.best.get(name, 0.0)) > value:
        yield Message("{percent:.0f} % of the best on this machine", percent=100 * value / best)


def environment_line(data: BenchmarkResult) -> str:
    """Return the environment on one line, device first."""
    known = {
        name: value
        for name, value in data.environment.items()
        if value not in (None, "") and name not in HIDDEN_CONDITIONS
    }
    parts = [str(known.pop(name)) for name in DEVICE_NAMES if name in known]
    return " · ".join(parts + [format_parameter(name, value) for name, value in known.items()])
