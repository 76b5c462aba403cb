"""A benchmark's result: an object to work with, and the same content as text and as HTML."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import msgspec

from jupyter_gpuperf.display import style
from jupyter_gpuperf.display.numbers import (
    interval_words,
    quantity_words,
    setting_words,
    split_name,
)
from jupyter_gpuperf.schemas import BenchmarkResult, Interval, Scalar

DEVICE_NAMES: Final = ("device_name", "device")
LEFT_TO_THE_DICTIONARY: Final = ("interpreter", "platform")
"""Long, and rarely what one looks for; ``.environment`` has them."""


@dataclass(frozen=True, repr=False)
class Result:
    """What ``%gpubench`` and ``gpuperf.bench`` return.

    Attributes
    ----------
    data
        Everything that was measured, as it crossed the wire.
    number
        Its number among the kept results; ``None`` where it was not kept.
    best
        Figure → the highest value ever kept for this benchmark and device.
    against
        How it compares with the baseline, in lines, where that was asked for.
    """

    data: BenchmarkResult
    number: int | None = None
    best: Mapping[str, float] = field(default_factory=dict)
    against: Sequence[str] = ()

    @property
    def benchmark(self) -> str:
        """The benchmark's name."""
        return self.data.benchmark

    @property
    def parameters(self) -> Mapping[str, Scalar]:
        """Every parameter it ran with, defaults included."""
        return MappingProxyType(self.data.parameters)

    @property
    def figures(self) -> Mapping[str, Interval]:
        """Figure → ``value``, ``low``, ``high`` (95 %), in seconds, bytes, or what its name says."""
        return MappingProxyType(self.data.figures)

    @property
    def samples(self) -> Mapping[str, tuple[float, ...]]:
        """Figure → the raw samples, in the order in which they were taken."""
        return MappingProxyType({name: tuple(each) for name, each in self.data.samples.items()})

    @property
    def environment(self) -> Mapping[str, Scalar | None]:
        """Where it was measured: device, versions, and what else matters."""
        return MappingProxyType(self.data.environment)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Reasons to doubt the figures."""
        return tuple(self.data.warnings)

    def to_frame(self) -> Any:  # pandas need not be there
        """Return the raw samples as a pandas DataFrame with the columns ``figure``, ``sample``, ``value``.

        Raises
        ------
        ImportError
            pandas is not installed.
        """
        import pandas

        return pandas.DataFrame(
            [
                (name, place, value)
                for name, values in self.data.samples.items()
                for place, value in enumerate(values)
            ],
            columns=["figure", "sample", "value"],
        )

    def plot(self) -> Any:  # matplotlib need not be there
        """Draw each figure's samples in their order and how they lie, with the interval, and the roofline.

        The roofline is there where the result holds operations, bytes and the chip's limits. Returns the
        matplotlib Figure.

        Raises
        ------
        ImportError
            matplotlib is not installed.
        """
        from jupyter_gpuperf.display.plots import plot_of

        return plot_of(self.data)

    def to_dict(self) -> dict[str, Any]:
        """Return the documented shape: a fresh, plain dictionary, ready for JSON."""
        plain: dict[str, Any] = msgspec.to_builtins(self.data)
        return plain

    def __repr__(self) -> str:
        return "\n".join(text_lines(self))

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        from jupyter_gpuperf.display.show_once import in_this_cell

        # A terminal has written its Out[…] prompt by now, and wants something behind it.
        printer.text(f"<{self.benchmark}, as above>" if in_this_cell(self) else repr(self))

    def _repr_html_(self) -> str:
        return html_of(self)

    def _ipython_display_(self) -> None:
        from jupyter_gpuperf.display.show_once import in_terminal, in_this_cell

        if in_terminal() or not in_this_cell(self):
            raise NotImplementedError  # IPython then goes on to the views above


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One figure or limit, as people read it."""

    label: str
    value: str
    interval: str
    note: str


def title(data: BenchmarkResult) -> tuple[str, str]:
    """Return what ran, and with which parameters."""
    parameters = " · ".join(setting_words(*each) for each in data.parameters.items())
    return data.benchmark, parameters


def rows(result: Result) -> list[Row]:
    """Return the figures with what they are held against, then limits that no figure has."""
    data = result.data
    figures = []
    for name, interval in data.figures.items():
        label, unit = split_name(name, data.unit)
        value, around = interval_words(interval, unit)
        taken = len(data.samples.get(name, ()))
        notes = [f"n = {taken}"] if taken > 1 else []
        notes += shares(result, name)
        figures.append(Row(label=label, value=value, interval=around, note=" · ".join(notes)))
    limits = []
    for name, limit in data.limits.items():
        if name not in data.figures:
            label, unit = split_name(name, data.unit)
            limits.append(
                Row(label=label, value=quantity_words(limit, unit), interval="", note="limit")
            )
    return figures + limits


def shares(result: Result, name: str) -> list[str]:
    """Return a figure's share of its limit, of that at the clock really held, and of this machine's best."""
    data = result.data
    value = data.figures[name].value
    limit = data.limits.get(name)
    said = []
    if limit:
        _, unit = split_name(name, data.unit)
        # Of a time the limit is the shortest, of a rate the highest.
        if name.endswith("_seconds"):
            share = limit / value
            said.append(f"floor {quantity_words(limit, unit)}, {share:.0%} reached")
        else:
            share = value / limit
            said.append(f"{share:.0%} of {quantity_words(limit, unit)}")
        clock, limit_clock = (
            data.environment.get(each) for each in ("clock_sm_mean_mhz", "limit_clock_mhz")
        )
        if name.endswith("_flops_per_second") and clock and limit_clock:
            at_clock = share * float(limit_clock) / float(clock)
            said.append(f"{at_clock:.0%} at the {float(clock):.0f} MHz held")
    best = result.best.get(name)
    if best and best > value:
        said.append(f"{value / best:.0%} of the best here")
    return said


def surroundings(data: BenchmarkResult) -> str:
    """Return where it was measured, on one line, the device first."""
    known = {
        name: value
        for name, value in data.environment.items()
        if value not in (None, "") and name not in LEFT_TO_THE_DICTIONARY
    }
    parts = [str(known.pop(name)) for name in DEVICE_NAMES if name in known]
    return " · ".join(parts + [setting_words(name, value) for name, value in known.items()])


def text_lines(result: Result) -> list[str]:
    """Return the result as text, one aligned line per figure."""
    data = result.data
    name, parameters = title(data)
    shown = rows(result)
    widths = [
        max((len(getattr(row, column)) for row in shown), default=0)
        for column in ("label", "value", "interval")
    ]
    lines = [f"{name}  {parameters}".rstrip()]
    lines += [
        f"  {row.label:<{widths[0]}}  {row.value:>{widths[1]}}  "
        f"{row.interval:<{widths[2]}}  {row.note}".rstrip()
        for row in shown
    ]
    lines += [f"  Careful: {warning}" for warning in data.warnings]
    lines += [f"  {line}" for line in result.against]
    where = surroundings(data)
    return [*lines, f"  {where}"] if where else lines


def html_of(result: Result) -> str:
    """Return the same as HTML; nothing of it is trusted, so all of it is escaped."""
    data = result.data
    name, parameters = title(data)
    body = "".join(
        f"<tr><td {style.LABEL}>{html.escape(row.label)}</td>"
        f"<td {style.VALUE}>{html.escape(row.value)}</td>"
        f"<td {style.QUIET_CELL}>{html.escape(row.interval)}</td>"
        f"<td {style.QUIET_CELL}>{html.escape(row.note)}</td></tr>"
        for row in rows(result)
    )
    warnings = "".join(
        f"<div {style.WARNING}>Careful: {html.escape(warning)}</div>" for warning in data.warnings
    )
    against = "".join(f"<div>{html.escape(line)}</div>" for line in result.against)
    return (
        f"<div {style.BOX}><div><b>{html.escape(name)}</b> "
        f"<span {style.QUIET}>{html.escape(parameters)}</span></div>"
        f"<table {style.TABLE}><tbody>{body}</tbody></table>{warnings}{against}"
        f"<div {style.QUIET}>{html.escape(surroundings(data))}</div></div>"
    )
