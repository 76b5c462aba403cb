"""Draws a tuning: the rate over the workers with its interval, and what the step needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

MARKS: Final = {"recommended": "o", "present": "s", "golden": "D", "": "."}
WORDS: Final = {"present": "yours", "golden": "the common recipe", "": "tried"}


def plot_of(data: Mapping[str, Any]) -> Any:  # a matplotlib Figure
    """Return a matplotlib Figure."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 3.2), layout="constrained")
    axes = figure.add_subplot()
    seen: set[str] = set()
    for trial in data["trials"]:
        rate = trial["batches_per_second"]
        if rate is None:
            continue
        role = next((each for each in MARKS if each in trial["roles"]), "")
        label = None if role in seen else WORDS.get(role, role)
        seen.add(role)
        errors = [[rate["value"] - rate["low"]], [rate["high"] - rate["value"]]]
        axes.errorbar(
            trial["num_workers"],
            rate["value"],
            yerr=errors,
            fmt=MARKS[role],
            color="C1" if role == "recommended" else "C0",
            capsize=2,
            label=label,
        )
    if data["step_seconds"]:
        axes.axhline(1 / data["step_seconds"], linewidth=1, linestyle="--", label="the step needs")
    axes.set_xlabel("workers")
    axes.set_ylabel("batches/s")
    axes.set_ylim(bottom=0)
    axes.legend()
    return figure
