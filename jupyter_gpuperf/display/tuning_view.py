"""A tuning's answer: an object to work with, and the same content as text and as HTML."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jupyter_gpuperf.display import style
from jupyter_gpuperf.display.numbers import MISSING, interval_words, quantity_words
from jupyter_gpuperf.schemas import Interval

HEAD: Final = (
    "setting",
    "workers",
    "prefetch",
    "pinned",
    "persistent",
    "batches/s",
    "95 %",
    "wait",
    "start-up",
    "epoch",
    "CPUs",
    "memory",
    "shared",
    "remarks",
)
NUMBERS: Final = frozenset({"batches/s", "wait", "start-up", "epoch", "CPUs", "memory", "shared"})
QUIET: Final = frozenset({"95 %", "remarks"})
ROLE_WORDS: Final = {
    "recommended": "recommended",
    "present": "yours",
    "golden": "the recipe",
    "kept": "recommended before",
}


@dataclass(frozen=True, repr=False)
class Tuned:
    """What ``%gpubench dataloader LOADER --tune`` and ``gpuperf.tune`` return.

    Attributes
    ----------
    data
        The documented shape; see :meth:`to_dict`.
    number
        Its number among the kept results; ``None`` where it was not kept.
    before
        What was recommended before for this data set on this machine, in a line.
    """

    data: Mapping[str, Any]
    number: int | None = None
    before: str | None = None

    @property
    def trials(self) -> Sequence[Mapping[str, Any]]:
        """Each setting that was tried, in that order."""
        found: Sequence[Mapping[str, Any]] = self.data["trials"]
        return found

    @property
    def recommended(self) -> Mapping[str, Any]:
        """The setting: names as DataLoader has them, and ``start_method``."""
        found: Mapping[str, Any] = self.data["recommended"]
        return found

    @property
    def code(self) -> str:
        """The line that makes the loader in the recommended setting; it needs ``import torch``."""
        return str(self.data["code"])

    @property
    def regime(self) -> str:
        """Where items came from: ``warm`` (the system's cache), ``cold`` (storage), ``mixed``, ``no files``."""
        return str(self.data["regime"])

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain data, ready for JSON."""
        return dict(self.data)

    def plot(self) -> Any:  # matplotlib need not be there
        """Draw the rates over the workers; return the matplotlib Figure.

        Raises
        ------
        ImportError
            matplotlib is not installed.
        """
        from jupyter_gpuperf.display.tuning_plot import plot_of

        return plot_of(self.data)

    def __repr__(self) -> str:
        return "\n".join(text_lines(self))

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        from jupyter_gpuperf.display.show_once import in_this_cell

        printer.text("<a tuning, as above>" if in_this_cell(self) else repr(self))

    def _repr_html_(self) -> str:
        return html_of(self)

    def _ipython_display_(self) -> None:
        from jupyter_gpuperf.display.show_once import in_terminal, in_this_cell

        if in_terminal() or not in_this_cell(self):
            raise NotImplementedError  # IPython then goes on to the views above


def in_order(trials: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return them as people look for them: the recommended one, what they have, the recipe, then by workers."""
    roles = list(ROLE_WORDS)
    return sorted(
        trials,
        key=lambda each: (
            min((roles.index(role) for role in each["roles"]), default=len(roles)),
            each["num_workers"],
        ),
    )


def cells(trial: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a trial as a row."""
    rate, around = MISSING, ""
    if trial["batches_per_second"] is not None:
        rate, around = interval_words(Interval(**trial["batches_per_second"]), "")
    wait = trial["wait_ratio"]
    workers = trial["num_workers"]
    notes = [trial["error"]] if trial["error"] else []
    # Where it ran with the step, that is what counts, not how early its rate was known to be the lower one.
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


def table(trials: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Return head and rows, without the columns that say nothing here."""
    rows = [cells(each) for each in in_order(trials)]
    columns = [
        (name, column)
        for name, column in zip(HEAD, zip(*rows, strict=True), strict=True)
        if set(column) - {"", MISSING}
    ]
    head = tuple(name for name, _ in columns)
    return [head, *zip(*(column for _, column in columns), strict=True)]


def told(tuned: Tuned) -> list[str]:
    """Return what is said below the table."""
    data = tuned.data
    lines = [f"Limit now: {data['limit_summary']}", *data["advice"]]
    if tuned.before:
        lines.append(tuned.before)
    return [*lines, data["regime_summary"]]


def surroundings(data: Mapping[str, Any]) -> str:
    """Return what was tuned, and where, on one line."""
    where = data["environment"]
    parts = [
        str(where.get("device_name") or where.get("device")),
        str(where["data_set"]),
        f"batches of {data['batch_size']}" if data["batch_size"] else "",
        f"{data['budget']['cpus']:g} processors",
        f"torch {where['torch']}",
        f"measured in {data['seconds']:.0f} s",
    ]
    return " · ".join(part for part in parts if part)


def text_lines(tuned: Tuned) -> list[str]:
    """Return it as text, one aligned line per trial."""
    data = tuned.data
    rows = table(tuned.trials)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            f"{each:>{width}}" if name in NUMBERS else f"{each:<{width}}"
            for name, each, width in zip(rows[0], row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]
    return [
        f"tuned {data['loader']}",
        *(f"  {line}" for line in data["summary"]),
        "",
        *(f"  {line}" for line in lines),
        "",
        f"  {tuned.code}",
        *(f"  {line}" for line in told(tuned)),
        *(f"  Careful: {line}" for line in data["warnings"]),
        f"  {surroundings(data)}",
    ]


def html_of(tuned: Tuned) -> str:
    """Return it as HTML; nothing of it is trusted, so all of it is escaped."""
    data = tuned.data
    first, *others = data["summary"]
    names, *rows = table(tuned.trials)
    head = "".join(
        f"<th {style.QUIET_NUMBER if name in NUMBERS else style.QUIET_CELL}>{name}</th>"
        for name in names
    )
    body = "".join(_row_html(names, each) for each in rows)
    warnings = "".join(
        f"<div {style.WARNING}>Careful: {html.escape(each)}</div>" for each in data["warnings"]
    )
    lines = "".join(f"<div>{html.escape(each)}</div>" for each in told(tuned))
    return (
        f"<div {style.WIDE_BOX}><div><b>{html.escape(first)}</b></div>"
        + "".join(f"<div>{html.escape(each)}</div>" for each in others)
        + f"<pre {style.CODE}>{html.escape(tuned.code)}</pre>"
        f"<div {style.SCROLLED}><table {style.TABLE}><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>{warnings}{lines}"
        f"<div {style.QUIET}>{html.escape(surroundings(data))}</div></div>"
    )


def _row_html(names: Sequence[str], row: Sequence[str]) -> str:
    bold = ROLE_WORDS["recommended"] in row[0].split(", ")
    found = []
    for name, each in zip(names, row, strict=True):
        look = (
            style.NUMBER if name in NUMBERS else style.QUIET_CELL if name in QUIET else style.LABEL
        )
        words = html.escape(each)
        found.append(f"<td {look}>{f'<b>{words}</b>' if bold and words else words}</td>")
    return f"<tr>{''.join(found)}</tr>"
