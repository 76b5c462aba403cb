"""Draws a result: the samples in the order they were taken, so that a drift shows, with their interval."""

from __future__ import annotations

import importlib
from typing import Any

from jupyter_gpuperf.magics.words import scale_of, split_name
from jupyter_gpuperf.schemas import BenchmarkResult

PANEL_INCHES = (7.0, 2.2)


def plot_of(data: BenchmarkResult) -> Any:  # noqa: ANN401  (a matplotlib Figure)
    """Return a matplotlib Figure with a panel per sampled figure."""
    pyplot_figure: Any = importlib.import_module("matplotlib.figure").Figure
    names = list(data.samples)
    width, height = PANEL_INCHES
    figure = pyplot_figure(figsize=(width, height * max(1, len(names))), layout="constrained")
    for place, name in enumerate(names):
        axes = figure.add_subplot(max(1, len(names)), 1, place + 1)
        label, unit = split_name(name, data.unit)
        factor, symbol = scale_of(max(data.samples[name], default=0.0), unit)
        axes.plot([value / factor for value in data.samples[name]], ".", markersize=4)
        if interval := data.figures.get(name):
            axes.axhspan(interval.low / factor, interval.high / factor, alpha=0.25)
            axes.axhline(interval.value / factor, linewidth=1)
        axes.set_ylabel(f"{label}, {symbol}" if symbol else label)
        axes.set_ylim(bottom=0)
    if names:
        axes.set_xlabel("sample")
        figure.suptitle(data.benchmark)
    return figure
