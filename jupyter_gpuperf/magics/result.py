"""A benchmark's result: an object to work with, and the same content as text and as HTML."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import msgspec

from jupyter_gpuperf.magics import style
from jupyter_gpuperf.magics.words import interval_words, quantity_words, setting_words, split_name
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
    """

    data: BenchmarkResult

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

    def to_dict(self) -> dict[str, Any]:
        """Return the documented shape: a fresh, plain dictionary, ready for JSON."""
        plain: dict[str, Any] = msgspec.to_builtins(self.data)
        return plain

    def __repr__(self) -> str:
        return "\n".join(text_lines(self.data))

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:  # noqa: ANN401
        from jupyter_gpuperf.magics.shown import in_this_cell

        # A terminal has written its Out[…] prompt by now, and wants something behind it.
        printer.text(f"<{self.benchmark}, as above>" if in_this_cell(self) else repr(self))

    def _repr_html_(self) -> str:
        return html_of(self.data)

    def _ipython_display_(self) -> None:
        from jupyter_gpuperf.magics.shown import in_terminal, in_this_cell

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


def rows(data: BenchmarkResult) -> list[Row]:
    """Return the figures, then the limits that they are held against."""
    figures = []
    for name, interval in data.figures.items():
        label, unit = split_name(name, data.unit)
        value, around = interval_words(interval, unit)
        taken = len(data.samples.get(name, ()))
        figures.append(
            Row(label=label, value=value, interval=around, note=f"n = {taken}" if taken > 1 else "")
        )
    limits = []
    for name, limit in data.limits.items():
        label, unit = split_name(name, data.unit)
        limits.append(
            Row(label=label, value=quantity_words(limit, unit), interval="", note="limit")
        )
    return figures + limits


def surroundings(data: BenchmarkResult) -> str:
    """Return where it was measured, on one line, the device first."""
    known = {
        name: value
        for name, value in data.environment.items()
        if value not in (None, "") and name not in LEFT_TO_THE_DICTIONARY
    }
    parts = [str(known.pop(name)) for name in DEVICE_NAMES if name in known]
    return " · ".join(parts + [setting_words(name, value) for name, value in known.items()])


def text_lines(data: BenchmarkResult) -> list[str]:
    """Return the result as text, one aligned line per figure."""
    name, parameters = title(data)
    shown = rows(data)
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
    where = surroundings(data)
    return [*lines, f"  {where}"] if where else lines


def html_of(data: BenchmarkResult) -> str:
    """Return the same as HTML; nothing of it is trusted, so all of it is escaped."""
    name, parameters = title(data)
    body = "".join(
        f"<tr><td {style.LABEL}>{html.escape(row.label)}</td>"
        f"<td {style.VALUE}>{html.escape(row.value)}</td>"
        f"<td {style.QUIET_CELL}>{html.escape(row.interval)}</td>"
        f"<td {style.QUIET_CELL}>{html.escape(row.note)}</td></tr>"
        for row in rows(data)
    )
    warnings = "".join(
        f"<div {style.WARNING}>Careful: {html.escape(warning)}</div>" for warning in data.warnings
    )
    return (
        f"<div {style.BOX}><div><b>{html.escape(name)}</b> "
        f"<span {style.QUIET}>{html.escape(parameters)}</span></div>"
        f"<table {style.TABLE}><tbody>{body}</tbody></table>{warnings}"
        f"<div {style.QUIET}>{html.escape(surroundings(data))}</div></div>"
    )
