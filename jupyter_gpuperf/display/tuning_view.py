"""The result of a tuning: an object with the same content as text and as HTML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from jupyter_gpuperf.display.blocks import Block, Code, Heading, Line, Table
from jupyter_gpuperf.display.document import DisplayedOnce, joined, warning_line
from jupyter_gpuperf.display.numbers import MISSING, format_interval, format_quantity
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.messages.translator import translated
from jupyter_gpuperf.schemas import Interval

SETTING_TITLES: Final = (
    *(Message("setting"), Message("workers"), Message("prefetch"), Message("pinned")),
    Message("persistent"),
)
USAGE_TITLES: Final = (
    *(Message("wait"), Message("start-up"), Message("epoch"), Message("CPUs")),
    *(Message("RAM"), Message("shared memory")),
)
COLUMNS: Final[Mapping[str, str]] = {
    **dict.fromkeys(SETTING_TITLES, "label"),
    Message("batches/s"): "number",
    "95 %": "quiet",
    **dict.fromkeys(USAGE_TITLES, "number"),
    Message("remarks"): "quiet",
}
"""Heading → key of ``style.CELLS`` for its column."""
ROLES: Final = {
    "recommended": Message("recommended"),
    "present": Message("current"),
    "golden": Message("common recipe"),
    "kept": Message("recommended before"),
}
"""Role in stored results → name, in display order."""


@dataclass(frozen=True, repr=False)
class TuningView(DisplayedOnce):
    """The return value of ``%gpubench dataloader LOADER --tune`` and ``gpuperf.tune``.

    Attributes
    ----------
    data
        The documented shape; see :meth:`to_dict`.
    number
        The result's number among the stored results; ``None`` if it was not stored.
    earlier
        A line about the previous tuning: its recommendation or, if its result is shown again, its date.
    """

    wide: ClassVar[bool] = True

    data: Mapping[str, Any]
    number: int | None = None
    earlier: str | None = None

    @property
    def trials(self) -> Sequence[Mapping[str, Any]]:
        """The settings that were tried, in the order of the trials."""
        return list(self.data["trials"])

    @property
    def recommended(self) -> Mapping[str, Any]:
        """The recommended setting: DataLoader's argument names, and ``start_method``."""
        return dict(self.data["recommended"])

    @property
    def code(self) -> str:
        """The line that creates the DataLoader with the recommended setting; or comments that say why there is none."""
        return str(self.data["code"])

    @property
    def regime(self) -> str:
        """Where items came from: ``warm`` (the system's cache), ``cold`` (storage), ``mixed``, ``no files``."""
        return str(self.data["regime"])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, ready for JSON."""
        return dict(self.data)

    def plot(self) -> Any:  # matplotlib is optional
        """Plot the rates against the number of workers; return the matplotlib Figure.

        Raises
        ------
        PackageMissing
            matplotlib is not installed.
        """
        from jupyter_gpuperf.display.plots import plot_of_tuning

        return plot_of_tuning(self.data)

    def terminal_name(self) -> str:
        """Return the name shown in a terminal."""
        return Message("DataLoader tuning")

    def blocks(self) -> Iterator[Block]:
        """Yield the summary, the code, a row per trial, the bottleneck, and advice."""
        data = self.data
        first, *others = data["summary"]
        yield Heading(first)
        yield from map(Line, others)
        yield Code(self.code)
        yield table(self.trials)
        yield from map(warning_line, data["warnings"])
        bottleneck = translated(data["limit_summary"])
        yield Line(Message("Bottleneck: {bottleneck}", bottleneck=bottleneck))
        yield from map(Line, data["advice"])
        yield from map(Line, filter(None, [self.earlier]))
        yield Line(data["regime_summary"])
        yield Line(environment_line(data), "quiet")


def display_order(trials: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the trials for display: recommended, current, common recipe, then by number of workers."""
    roles = list(ROLES)

    def rank(trial: Mapping[str, Any]) -> tuple[int, int]:
        best = min(map(roles.index, trial["roles"]), default=len(roles))
        return best, trial["num_workers"]

    return sorted(trials, key=rank)


def row_of(trial: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a trial as a table row."""
    rate, interval = MISSING, ""
    if trial["batches_per_second"] is not None:
        rate, interval = format_interval(Interval(**trial["batches_per_second"]), "")
    wait, workers = trial["wait_ratio"], trial["num_workers"]
    stopped = Message("stopped early") if trial["aborted"] else ""
    any_order = "" if trial["in_order"] else Message("in any order")
    return (
        joined([ROLES[each] for each in trial["roles"]], ", "),
        str(workers),
        str(trial["prefetch_factor"]) if workers else MISSING,
        format_quantity(trial["pin_memory"]),
        format_quantity(trial["persistent_workers"]) if workers else MISSING,
        rate,
        interval,
        MISSING if wait is None else f"{100 * wait['value']:.1f} %",
        format_quantity(trial["startup_seconds"], "seconds"),
        format_quantity(trial["epoch_seconds"], "seconds"),
        MISSING if trial["cpu_cores"] is None else f"{trial['cpu_cores']:.1f}",
        format_quantity(trial["memory_bytes"], "bytes"),
        format_quantity(trial["shared_memory_bytes"], "bytes"),
        joined([trial["error"] or "", stopped, any_order, trial["start_method"] or ""]),
    )


def table(trials: Sequence[Mapping[str, Any]]) -> Table:
    """Return a table with a row per trial, without columns that would be empty."""
    trials = display_order(trials)
    rows = [row_of(each) for each in trials]
    columns = [
        (name, column)
        for name, column in zip(COLUMNS, zip(*rows, strict=True), strict=True)
        if set(column) - {"", MISSING}
    ]
    return Table(
        list(zip(*(column for _, column in columns), strict=True)),
        looks=[COLUMNS[name] for name, _ in columns],
        head=[name for name, _ in columns],
        bold=[row for row, each in enumerate(trials) if "recommended" in each["roles"]],
    )


def environment_line(data: Mapping[str, Any]) -> str:
    """Return what was tuned, and where, on one line."""
    environment, batch_size = data["environment"], data["batch_size"]
    return joined(
        [
            data["loader"],
            str(environment.get("device_name") or environment.get("device")),
            str(environment["data_set"]),
            Message("batch size {size}", size=batch_size) if batch_size else "",
            Message("{count:g} CPUs", count=data["budget"]["cpus"]),
            f"torch {environment['torch']}",
            Message("measured in {seconds:.0f} s", seconds=data["seconds"]),
        ]
    )
