"""What fits: a row per batch size, the recommendation, and the law of the memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jupyter_gpuperf.display.blocks import Bar, Block, Cell, Code, Heading, Line, Table
from jupyter_gpuperf.display.document import Displayed, PlainDataView, joined, warning_line
from jupyter_gpuperf.display.numbers import MISSING, format_interval, format_quantity
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.schemas import BatchFit, BatchTrial, MemoryPhase

ROLES: Final = {
    "recommended": Message("recommended"),
    "own": Message("current"),
    "largest": Message("largest that fits"),
    "fastest": Message("fastest"),
}
STATUS: Final = {
    "out_of_memory": Message("out of memory"),
    "predicted": Message("predicted, not run: does not fit with the margin"),
}
LIMITS: Final = {
    "memory": Message("Larger batches don't fit with the margin."),
    "host_memory": Message("Larger batches were not run: they could fill the host's memory."),
    "items": Message("Larger batches were not run: the dataset has no more samples."),
    "time": Message("Larger batches were not run: the time was up. Set a larger budget."),
    "error": Message("Larger batches were not run: the step raised an exception."),
    "speed": Message("Larger batches were not run: they were no longer faster."),
}
PHASES: Final = {
    "step": Message("forward and backward pass"),
    "optimizer": Message("optimizer"),
}
COLUMNS: Final = (
    (Message("batch size"), "number"),
    (Message("samples/s"), "number"),
    ("95 %", "quiet"),
    ("", "bar"),
    (Message("step"), "number"),
    (Message("peak memory"), "number"),
    (Message("predicted"), "quiet_number"),
    (Message("reserved"), "number"),
    (Message("remarks"), "quiet"),
)


@dataclass(frozen=True, repr=False)
class BatchFitView(PlainDataView, Displayed):
    """The return value of ``%gpumem fit`` and ``gpuperf.fit``."""

    wide = True
    data: BatchFit

    @property
    def trials(self) -> Sequence[BatchTrial]:
        """The batch sizes, the smallest first. Only those with ``status == "run"`` were run."""
        return tuple(self.data.trials)

    @property
    def recommended(self) -> int | None:
        """The smallest batch size that can't be distinguished from the fastest; ``None`` if none fits with the margin."""
        return self.data.recommended_batch_size

    @property
    def largest(self) -> int | None:
        """The largest batch size that fits with the margin, and was run; ``None`` on a CPU."""
        return self.data.largest_batch_size

    @property
    def code(self) -> str | None:
        """The line that creates the loader with the recommended size; ``None`` if nothing is to change."""
        return self.data.code

    def plot(self) -> Any:  # matplotlib is optional
        """Plot samples per second and peak memory against the batch size; return the matplotlib Figure.

        Raises
        ------
        PackageMissing
            matplotlib is not installed.
        """
        from jupyter_gpuperf.display.plots import plot_of_batch_fit

        return plot_of_batch_fit(self.data)

    def blocks(self) -> Iterator[Block]:
        """Yield the recommendation, the largest batch, a row per size, the law, and what is known beside it."""
        data = self.data
        yield self._heading()
        yield from map(Line, self._sentences())
        if data.code:
            yield Code(data.code)
        yield self._table()
        yield from (Line(each) for each in self._law())
        yield from map(warning_line, data.warnings)
        yield from (Line(each, "quiet") for each in data.notes)
        text = Message("measured in {seconds:.0f} s", seconds=data.seconds)
        yield Line(joined([data.step, data.loader, data.device, text]), "quiet")

    def _heading(self) -> Heading:
        data = self.data
        if data.recommended_batch_size is None:
            if data.limit_bytes is None:
                return Heading(Message("No time was left to time the batch sizes"))
            text = "No batch size leaves {margin:.0%} of the memory free"
            return Heading(Message(text, margin=data.margin_ratio))
        title = Message("Batch size {size} recommended", size=data.recommended_batch_size)
        trial = self._trial(data.recommended_batch_size)
        parts = []
        if trial.samples_per_second is not None:
            value, interval = format_interval(trial.samples_per_second, "samples/s")
            parts.append(f"{value} {interval}")
        if trial.peak_bytes is not None:
            size = format_quantity(trial.peak_bytes, "bytes")
            parts.append(Message("{size} at its peak", size=size))
        return Heading(title, joined(parts))

    def _sentences(self) -> Iterator[Message]:
        data = self.data
        if data.enough_batch_size is not None:
            text = "The smallest size that can't be distinguished from the fastest: larger batches gain nothing."
            if data.enough_batch_size == self._largest_timed():
                text = "The fastest of those that were timed."
            yield Message(text)
        if data.largest_batch_size is not None:
            yield self._largest_sentence(self._trial(data.largest_batch_size))
        if data.limit_bytes is None:
            yield Message(
                "Measured on the CPU, where a batch has no memory of its own: only throughput was measured."
            )
        yield LIMITS[data.limited_by]

    def _largest_sentence(self, trial: BatchTrial) -> Message:
        data = self.data
        figures = {
            "size": trial.batch_size,
            "reserved": format_quantity(trial.reserved_bytes, "bytes"),
            "limit": format_quantity(data.limit_bytes, "bytes"),
            "margin": data.margin_ratio,
        }
        template = "The largest that fits is {size}, and it runs: torch reserves {reserved} of {limit}; {margin:.0%} must stay free."
        return Message(template, **figures)

    def _table(self) -> Table:
        trials = self.data.trials
        rates = [e.samples_per_second.value for e in trials if e.samples_per_second is not None]
        rows = [_row(each, max(rates, default=1.0)) for each in trials]
        kept = [
            place
            for place in range(len(COLUMNS))
            if any(row[place] not in ("", MISSING) for row in rows)
        ]
        return Table(
            [[row[place] for place in kept] for row in rows],
            looks=[COLUMNS[place][1] for place in kept],
            head=[COLUMNS[place][0] for place in kept],
            bold=[place for place, each in enumerate(trials) if "recommended" in each.roles],
        )

    def _law(self) -> Iterator[Message]:
        phases = self.data.law
        if phases:
            yield Message(
                "Peak memory by batch size, the higher of:"
                if len(phases) > 1
                else "Peak memory by batch size:"
            )
        for each in phases:
            yield Message("{phase}: {law}", phase=PHASES[each.phase], law=_law_text(each))

    def _trial(self, size: int) -> BatchTrial:
        return next(each for each in self.data.trials if each.batch_size == size)

    def _largest_timed(self) -> int | None:
        timed = (e.batch_size for e in self.data.trials if e.samples_per_second is not None)
        return max(timed, default=None)


def _row(trial: BatchTrial, fastest: float) -> list[Cell]:
    rate, interval, bar = MISSING, "", Bar(0.0)
    if trial.samples_per_second is not None:
        rate, interval = format_interval(trial.samples_per_second, "")
        bar = Bar(trial.samples_per_second.value / fastest)
    step = None if trial.step_seconds is None else trial.step_seconds.value
    remarks = [ROLES[each] for each in ROLES if each in trial.roles]
    failure = trial.error or STATUS.get(trial.status, "")
    if trial.status == "run" and trial.samples_per_second is None:
        remarks.append(Message("not timed"))
    measured = None if trial.status == "predicted" else trial.peak_bytes
    reserved = None if trial.status == "predicted" else trial.reserved_bytes
    return [
        str(trial.batch_size),
        rate,
        interval,
        bar,
        format_quantity(step, "seconds"),
        format_quantity(measured, "bytes"),
        format_quantity(trial.predicted_bytes, "bytes"),
        format_quantity(reserved, "bytes"),
        joined([*remarks, failure]),
    ]


def _law_text(phase: MemoryPhase) -> Message:
    figures = {
        "fixed": format_quantity(phase.fixed_bytes, "bytes"),
        "sample": format_quantity(phase.bytes_per_sample, "bytes"),
        "first": phase.batch_sizes[0],
        "last": phase.batch_sizes[-1],
        "count": len(phase.batch_sizes),
    }
    if phase.largest_deviation_ratio is None:
        return Message(
            "{fixed} + {sample} per sample (from the sizes {first} and {last})", **figures
        )
    template = "{fixed} + {sample} per sample (from {count} sizes, {first} to {last}; largest deviation {deviation:.1%})"
    return Message(template, **figures, deviation=phase.largest_deviation_ratio)
