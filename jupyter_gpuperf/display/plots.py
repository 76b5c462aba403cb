"""Plots of a result: samples in order (to show drift), their distribution, and the roofline.

Their labels are always in English: matplotlib's default font has no Chinese characters.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from jupyter_gpuperf.display.numbers import format_quantity, scale_of, split_name
from jupyter_gpuperf.errors import require_package
from jupyter_gpuperf.schemas import BatchFit, BenchmarkResult

PANEL_INCHES: Final = (7.0, 2.2)
ROOFLINE_INCHES: Final = 3.0
FLOPS: Final = "flops_per_second"
BANDWIDTH: Final = "memory_bytes_per_second"
MOST_BINS: Final = 24
ROOFLINE_MARGIN: Final = 8.0
"""Factor by which the roofline's horizontal axis extends beyond its points."""

MARKERS: Final = {"recommended": "o", "present": "s", "golden": "D", "": "."}
ROLES: Final = {"present": "current", "golden": "common recipe", "": "tried"}


class RooflinePoint(NamedTuple):
    """A figure and the two limits on it; ``intensity`` is in FLOP per byte."""

    name: str
    intensity: float
    achieved: float
    peak: float
    bandwidth: float


def roofline_points(data: BenchmarkResult) -> Iterator[RooflinePoint]:
    """Yield the figures whose operations and bytes are known, on a chip with known limits."""
    bandwidth = data.limits.get(BANDWIDTH)
    for name, interval in data.figures.items():
        intensity = data.environment.get(f"{name.removesuffix(FLOPS)}flop_per_byte")
        peak = data.limits.get(name)
        if name.endswith(FLOPS) and bandwidth and peak and isinstance(intensity, int | float):
            yield RooflinePoint(name, float(intensity), interval.value, peak, bandwidth)


def plot_of(data: BenchmarkResult) -> Any:  # a matplotlib Figure
    """Return a matplotlib Figure: each figure's samples in order and their distribution, then the roofline."""
    require_package("matplotlib", "plot()")
    from matplotlib.figure import Figure

    names, roofs = list(data.samples), list(roofline_points(data))
    width, height = PANEL_INCHES
    heights = [height] * len(names) + [ROOFLINE_INCHES] * bool(roofs)
    figure = Figure(figsize=(width, sum(heights) or height), layout="constrained")
    if not heights:
        return figure
    grid = figure.add_gridspec(len(heights), 2, height_ratios=heights, width_ratios=(3, 1))
    for row, name in enumerate(names):
        in_order = figure.add_subplot(grid[row, 0])
        beside = figure.add_subplot(grid[row, 1], sharey=in_order)
        _draw_samples(data, name, in_order, beside)
        if row == len(names) - 1:
            in_order.set_xlabel("sample")
            beside.set_xlabel("samples")
    if roofs:
        _draw_roofline(roofs, figure.add_subplot(grid[len(names), :]))
    figure.suptitle(data.benchmark)
    return figure


def _draw_samples(data: BenchmarkResult, name: str, in_order: Any, beside: Any) -> None:
    label, unit = split_name(name, data.unit)
    factor, symbol = scale_of(max(data.samples[name], default=0.0), unit)
    values = [value / factor for value in data.samples[name]]
    in_order.plot(values, ".", markersize=4)
    bins = max(2, min(MOST_BINS, math.ceil(2 * len(values) ** (1 / 3))))  # Rice's rule
    beside.hist(values, bins=bins, orientation="horizontal", alpha=0.6)
    beside.tick_params(labelleft=False)
    if interval := data.figures.get(name):
        for axes in (in_order, beside):
            axes.axhspan(interval.low / factor, interval.high / factor, alpha=0.25)
            axes.axhline(interval.value / factor, linewidth=1)
    in_order.set_ylabel(f"{label}, {symbol}" if symbol else label)


def _draw_roofline(roofs: list[RooflinePoint], axes: Any) -> None:
    places = [place for each in roofs for place in (each.intensity, each.peak / each.bandwidth)]
    left, right = min(places) / ROOFLINE_MARGIN, max(places) * ROOFLINE_MARGIN
    for each in roofs:
        ridge = each.peak / each.bandwidth
        heights = [left * each.bandwidth / 1e12, each.peak / 1e12, each.peak / 1e12]
        axes.plot([left, ridge, right], heights, color="gray", linewidth=1)
        label, unit = split_name(each.name)
        reached = format_quantity(each.achieved, unit)
        axes.plot([each.intensity], [each.achieved / 1e12], "o", label=f"{label} {reached}".strip())
    axes.set(xscale="log", yscale="log", xlabel="FLOP per byte of memory", ylabel="TFLOP/s")
    axes.legend(fontsize="small")


def plot_of_tuning(data: Mapping[str, Any]) -> Any:  # a matplotlib Figure
    """Return a matplotlib Figure: batches/s against workers, with intervals, and the rate that the step needs."""
    require_package("matplotlib", "plot()")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 3.2), layout="constrained")
    axes = figure.add_subplot()
    seen: set[str] = set()
    for trial in data["trials"]:
        rate = trial["batches_per_second"]
        if rate is None:
            continue
        role = next((each for each in MARKERS if each in trial["roles"]), "")
        label = None if role in seen else ROLES.get(role, role)
        seen.add(role)
        errors = [[rate["value"] - rate["low"]], [rate["high"] - rate["value"]]]
        color = "C1" if role == "recommended" else "C0"
        look: dict[str, Any] = {"fmt": MARKERS[role], "color": color, "capsize": 2, "label": label}
        axes.errorbar(trial["num_workers"], rate["value"], yerr=errors, **look)
    if data["step_seconds"]:
        label = "with batches that are ready"
        axes.axhline(1 / data["step_seconds"], linewidth=1, linestyle="--", label=label)
    axes.set(xlabel="workers", ylabel="batches/s")
    axes.set_ylim(bottom=0)
    axes.legend()
    return figure


def plot_of_batch_fit(data: BatchFit) -> Any:  # a matplotlib Figure
    """Return a matplotlib Figure: samples/s and, where it was measured, peak memory against the batch size."""
    require_package("matplotlib", "plot()")
    from matplotlib.figure import Figure

    has_memory = data.limit_bytes is not None
    figure = Figure(figsize=(7.0, 3.2 * (1 + has_memory)), layout="constrained")
    upper, *lower = figure.subplots(1 + has_memory, 1, sharex=True, squeeze=False)[:, 0]
    for each in data.trials:
        if (rate := each.samples_per_second) is not None:
            errors = [[rate.value - rate.low], [rate.high - rate.value]]
            color = "C1" if "recommended" in each.roles else "C0"
            upper.errorbar(
                each.batch_size, rate.value, yerr=errors, fmt="o", capsize=2, color=color
            )
    upper.set(ylabel="samples/s", xscale="log")
    upper.set_ylim(bottom=0)
    for axes in lower:
        ran = [each for each in data.trials if each.peak_bytes and each.status == "run"]
        gib = [(each.peak_bytes or 0.0) / 2**30 for each in ran]
        axes.plot([each.batch_size for each in ran], gib, "o", label="measured")
        axes.axhline((data.limit_bytes or 0.0) / 2**30, linestyle="--", linewidth=1, label="limit")
        axes.set(ylabel="peak memory, GiB", yscale="log")
        axes.legend()
    figure.axes[-1].set_xlabel("batch size")
    return figure
