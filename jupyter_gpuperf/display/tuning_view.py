"""The result of a tuning: an object with the same content as text and as HTML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from jupyter_gpuperf.display.document import (
    CAREFUL,
    Block,
    Code,
    DisplayedOnce,
    Heading,
    Line,
    Table,
)
from jupyter_gpuperf.display.numbers import MISSING, interval_words, quantity_words
from jupyter_gpuperf.schemas import Interval

COLUMNS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("setting", "workers", "prefetch", "pinned", "persistent"), "label"),
    "batches/s": "number",
    "95 %": "quiet",
    **dict.fromkeys(("wait", "start-up", "epoch", "CPUs", "memory", "shared"), "number"),
    "remarks": "quiet",
}
ROLE_WORDS: Final = {
    "recommended": "recommended",
    "present": "yours",
    "golden": "the recipe",
    "kept": "recommended before",
}


@dataclass(frozen=True, repr=False)
class TuningView(DisplayedOnce):
    """The return value of ``%gpubench dataloader LOADER --tune`` and ``gpuperf.tune``.

    Attributes
    ----------
    data
        The documented shape; see :meth:`to_dict`.
    number
        Its number among the stored results; ``None`` if it was not stored.
    before
        The previous recommendation for this dataset on this machine, in one line.
    """

    wide: ClassVar[bool] = True

    data: Mapping[str, Any]
    number: int | None = None
    before: str | None = None

    @property
    def trials(self) -> Sequence[Mapping[str, Any]]:
        """Each setting that was tried, in the order of the trials."""
        return list(self.data["trials"])

    @property
    def recommended(self) -> Mapping[str, Any]:
        """The recommended setting: DataLoader's argument names, and ``start_method``."""
        return dict(self.data["recommended"])

    @property
    def code(self) -> str:
        """The line that creates the DataLoader with the recommended setting; it needs ``import torch``."""
        return str(self.data["code"])

    @property
    def regime(self) -> str:
        """Where items came from: ``warm`` (the system's cache), ``cold`` (storage), ``mixed``, ``no files``."""
        return str(self.data["regime"])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, ready for JSON."""
        return dict(self.data)

    def plot(self) -> Any:  # matplotlib is optional
        """Plot the rates over the number of workers; return the matplotlib Figure.

        Raises
        ------
        ImportError
            matplotlib is not installed.
        """
        from jupyter_gpuperf.display.plots import plot_of_tuning

        return plot_of_tuning(self.data)

    def above(self) -> str:
        """Return the name shown in a terminal."""
        return "a tuning"

    def blocks(self) -> Iterator[Block]:
        """Yield the summary, the code, a row per trial, and the current limit."""
        data = self.data
        first, *others = data["summary"]
        yield Heading(first)
        yield from map(Line, others)
        yield Code(self.code)
        yield table(self.trials)
        yield from (Line(CAREFUL + each, "warning") for each in data["warnings"])
        yield from map(Line, told(self))
        yield Line(surroundings(data), "quiet")


def in_order(trials: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the trials for display: recommended, current, common recipe, then by number of workers."""
    roles = list(ROLE_WORDS)

    def place(trial: Mapping[str, Any]) -> tuple[int, int]:
        best = min(map(roles.index, trial["roles"]), default=len(roles))
        return best, trial["num_workers"]

    return sorted(trials, key=place)


def cells(trial: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a trial as a table row."""
    rate, around = MISSING, ""
    if trial["batches_per_second"] is not None:
        rate, around = interval_words(Interval(**trial["batches_per_second"]), "")
    wait = trial["wait_ratio"]
    workers = trial["num_workers"]
    notes = [trial["error"]] if trial["error"] else []
    # If it ran with the step, that result counts, not when its rate was found to be lower.
    notes += ["given up early"] if trial["aborted"] and wait is None else []
    notes += ["in any order"] if not trial["in_order"] else []
    notes += [trial["start_method"]] if trial["start_method"] else []
    return (
        ", ".join(ROLE_WORDS[each] for each in trial["roles"]),
        str(workers),
        str(trial["prefetch_factor"]) if workers else MISSING,
        quantity_words(trial["pin_memory"]),
        quantity_words(trial["persistent_workers"]) if workers else MISSING,
        rate,
        around,
        MISSING if wait is None else f"{wait['value']:.1%}",
        quantity_words(trial["startup_seconds"], "seconds"),
        quantity_words(trial["epoch_seconds"], "seconds"),
        MISSING if trial["cpu_cores"] is None else f"{trial['cpu_cores']:.1f}",
        quantity_words(trial["memory_bytes"], "bytes"),
        quantity_words(trial["shared_memory_bytes"], "bytes"),
        " · ".join(notes),
    )


def table(trials: Sequence[Mapping[str, Any]]) -> Table:
    """Return a row per trial, without the columns that are empty here."""
    rows = [cells(each) for each in in_order(trials)]
    columns = [
        (name, column)
        for name, column in zip(COLUMNS, zip(*rows, strict=True), strict=True)
        if set(column) - {"", MISSING}
    ]
    recommended = ROLE_WORDS["recommended"]
    return Table(
        list(zip(*(column for _, column in columns), strict=True)),
        looks=[COLUMNS[name] for name, _ in columns],
        head=[name for name, _ in columns],
        bold=[place for place, row in enumerate(rows) if recommended in row[0].split(", ")],
    )


def told(tuned: TuningView) -> list[str]:
    """Return the lines below the table."""
    data = tuned.data
    before = [tuned.before] if tuned.before else []
    limit = f"Limit now: {data['limit_summary']}"
    return [limit, *data["advice"], *before, data["regime_summary"]]


def surroundings(data: Mapping[str, Any]) -> str:
    """Return what was tuned, and where, on one line."""
    where = data["environment"]
    parts = [
        f"tuned {data['loader']}",
        str(where.get("device_name") or where.get("device")),
        str(where["data_set"]),
        f"batches of {data['batch_size']}" if data["batch_size"] else "",
        f"{data['budget']['cpus']:g} processors",
        f"torch {where['torch']}",
        f"measured in {data['seconds']:.0f} s",
    ]
    return " · ".join(part for part in parts if part)
