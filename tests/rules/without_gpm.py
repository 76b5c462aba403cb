"""The recordings as a device without GPM shows them, at full rate and once a second, and variants of each."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache

from perturbing import (
    GPM,
    PCIE,
    TOO_FEW,
    TOO_RARE,
    TOO_SHORT,
    UNSEEN_WITHOUT_GPM,
    Truth,
    between,
    expected_of,
    labelled,
    labelled_window,
    of_each,
    slower,
    trace,
    truths,
    without,
)

from jupyter_gpuperf.metrics import METRICS
from jupyter_gpuperf.rules import ReadingSeries, RuleInput

NOISE_RATIO = 0.2
EXACT = frozenset(
    metric.name
    for metric in METRICS
    if metric.kind != "gauge" or metric.unit in ("bytes", "") or metric.name.startswith("pcie_link")
)
"""Metrics without noise: limits, counters, and what is counted in whole bytes."""


def before_hopper(window: RuleInput) -> RuleInput:
    """Take away what GPM gives: the activity of the chip's units, and the bytes over PCIe and NVLink."""
    return without(window, *GPM, *PCIE)


def once_a_second(window: RuleInput, phase_seconds: float = 0.0) -> RuleInput:
    """Return the window without GPM, read once a second."""
    return slower(before_hopper(window), 1.0, phase_seconds)


def older_chip(window: RuleInput) -> RuleInput:
    """Return the window as of an A100, a V100 or a T4, whose power is that of the moment."""

    def changed(series: ReadingSeries) -> ReadingSeries:
        instant = series.columns["power_instant_watts"]
        known = any(isinstance(each, float) for each in instant)
        power = {"power_watts": instant} if known else {}
        return replace(series, columns={**series.columns, **power})

    devices = tuple(
        replace(each, series=changed(each.series), compute_capability="8.0")
        for each in window.devices
    )
    return replace(window, devices=devices)


def noisy(window: RuleInput, seed: int) -> RuleInput:
    """Multiply each reading with a factor of its own, up to a fifth off."""
    chance = random.Random(seed)

    def changed(name: str, reading):
        if name in EXACT or not isinstance(reading, float):
            return reading
        most = 100.0 if name.endswith("_percent") else float("inf")
        return min(most, reading * chance.uniform(1 - NOISE_RATIO, 1 + NOISE_RATIO))

    return of_each(
        window,
        lambda series: replace(
            series,
            columns={
                name: [changed(name, each) for each in column]
                for name, column in series.columns.items()
            },
        ),
    )


def later(window: RuleInput, seconds: float) -> RuleInput:
    """Let the recording begin later."""
    times = window.host.times_seconds
    return between(window, times[0] + seconds, times[-1])


MODES: dict[str, tuple[Callable[[RuleInput], RuleInput], set[str]]] = {
    "with GPM": (lambda window: window, set()),
    "without GPM": (before_hopper, UNSEEN_WITHOUT_GPM),
    "without GPM, every second": (
        once_a_second,
        UNSEEN_WITHOUT_GPM | TOO_SHORT | TOO_FEW | TOO_RARE,
    ),
}
"""Mode → what it makes of a recording, and the workloads whose cause it can't show."""

SEVERAL: dict[str, Callable[[RuleInput, int], RuleInput]] = {
    "sampled at another phase": lambda window, i: once_a_second(window, 0.1 * i),
    "readings up to 20 % off": lambda window, i: noisy(once_a_second(window, 0.1 * i), i),
    "begins later": lambda window, i: once_a_second(later(window, 0.9 * i)),
    "power of the moment (A100 and older)": lambda window, i: once_a_second(
        older_chip(window), 0.2 * i
    ),
}
"""What else a sampler without GPM may get once a second."""


@lru_cache(maxsize=1)
def recordings() -> dict[str, tuple[RuleInput, Truth]]:
    """Return all recordings with what each must and may give."""
    known = {name: truth for name, truth in truths().items() if name != "_note"}
    traces = {name: (trace(name), truth) for name, truth in known.items()}
    return traces | {name: (labelled_window(name), expected_of(name)) for name in labelled()}


def variants(
    change: Callable[[RuleInput, int], RuleInput], count: int
) -> Iterator[tuple[str, RuleInput]]:
    """Yield so many variants of each recording, with its name."""
    for name, (window, _) in recordings().items():
        for place in range(count):
            yield name, change(window, place)
