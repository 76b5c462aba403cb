"""The summary of a script's run: what its loops did, what held them up, and what it took of each GPU."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from jupyter_gpuperf.display.blocks import Block, Heading, Line, Table
from jupyter_gpuperf.display.document import Displayed, PlainDataView, joined, page_of
from jupyter_gpuperf.display.finding_view import finding_boxes
from jupyter_gpuperf.display.numbers import MISSING, format_interval, format_quantity
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.schemas.phases import Phase, PhaseSeconds
from jupyter_gpuperf.schemas.runs import RunDevice, RunLoop, RunRecord

MOST_LOOPS: Final = 12
LOOP_HEAD: Final = (
    *(Message("Loop"), Message("Steps"), Message("Step"), Message("Samples/s")),
    *(Message("Wait for data"), Message("GPU idle for data"), Message("Peak memory")),
)
LOOP_LOOKS: Final = ("name", *["value"] * (len(LOOP_HEAD) - 1))
PHASE_HEAD: Final = (
    *(Message("Phase"), Message("Host"), Message("Share"), Message("GPU"), Message("GPU idle")),
)
PHASE_NAMES: Final[Mapping[Phase, Message]] = {
    "data": Message("data"),
    "copy": Message("copy"),
    "forward": Message("forward"),
    "backward": Message("backward"),
    "optimizer": Message("optimizer"),
    "other": Message("other"),
}
DEVICE_HEAD: Final = (
    *(Message("GPU"), Message("GPU busy"), Message("Peak memory"), Message("Power")),
    *(Message("Energy"), Message("Hottest")),
)


@dataclass(frozen=True, repr=False)
class RunView(PlainDataView, Displayed):
    """The record of a run, for the terminal and as a page.

    Attributes
    ----------
    name
        What the run is called.
    """

    wide = True
    data: RunRecord
    name: str

    def blocks(self) -> Iterator[Block]:
        """Yield the duration, what was found, and tables of loops, phases and GPUs."""
        data = self.data
        yield Heading(self.name, joined(self._facts()))
        yield from finding_boxes(data.findings, {each.uuid: _label(each) for each in data.devices})
        yield from self._verdict()
        if data.loops:
            rows = [_loop_row(each) for each in data.loops[:MOST_LOOPS]]
            yield Table(rows, looks=LOOP_LOOKS, head=LOOP_HEAD)
            if worth := joined(_worth(data.loops[0])):
                yield Line(worth)
            yield from self._phases(data.loops[0])
        if data.devices:
            looks = ("name", *["value"] * (len(DEVICE_HEAD) - 1))
            yield Table([_device_row(each) for each in data.devices], looks=looks, head=DEVICE_HEAD)
        yield from (Line(each, "quiet") for each in self._remarks())

    def page(self) -> str:
        """Return a self-contained HTML page."""
        return page_of(self.name, self._repr_html_())

    def _facts(self) -> Iterator[str]:
        yield format_quantity(self.data.seconds, "seconds")
        if self.data.exit_status:
            yield Message("exit status {status}", status=self.data.exit_status)

    def _verdict(self) -> Iterator[Block]:
        data = self.data
        if any(each.severity != "info" for each in data.findings):
            return
        if data.is_judged:
            yield Line(Message("No problems found."))
        elif data.devices:
            text = "Too short to judge: the diagnosis needs some twenty seconds of steps."
            yield Line(Message(text))

    def _phases(self, loop: RunLoop) -> Iterator[Block]:
        if loop.phases:
            yield Line(Message("A step of {loop}", loop=loop.name), "quiet")
            step_seconds = sum(each.host_seconds or 0.0 for each in loop.phases.values())
            rows = [
                _phase_row(phase, each, step_seconds)
                for phase, each in loop.phases.items()
                if each.host_seconds
            ]
            yield Table(rows, looks=("name", *["value"] * 4), head=PHASE_HEAD)
        for each in loop.host_lines or []:
            text = "{function}, {file}:{line}: {percent} of the host's time"
            percent = format_quantity(each.ratio, "ratio")
            names = {"function": each.function, "file": each.file, "line": each.line}
            yield Line(Message(text, percent=percent, **names))

    def _remarks(self) -> Iterator[str]:
        loops = self.data.loops
        if len(loops) > MOST_LOOPS:
            yield Message(
                "{count} more loops are in the saved file.", count=len(loops) - MOST_LOOPS
            )
        for each in loops[:1]:
            if each.warmup_steps:
                text = "The first {count} steps warm up: they are left out of the means."
                yield Message(text, count=each.warmup_steps)
        yield from self.data.notes


def _loop_row(loop: RunLoop) -> tuple[str, ...]:
    one_line = " ".join(loop.name.split())
    name = Message("{loop}" if loop.is_training else "{loop} (no gradients)", loop=one_line)
    rank = "" if loop.rank is None else Message("rank {rank}", rank=loop.rank)
    return (
        joined([name, rank]),
        format_quantity(loop.steps),
        MISSING
        if loop.step_seconds is None
        else " ".join(format_interval(loop.step_seconds, "seconds")),
        format_quantity(loop.samples_per_second),
        format_quantity(loop.wait_ratio, "ratio"),
        format_quantity(loop.idle_for_data_ratio, "ratio"),
        format_quantity(loop.memory.peak_allocated_bytes, "bytes"),
    )


def _worth(loop: RunLoop) -> Iterator[str]:
    if loop.tokens_per_second is not None:
        yield f"{format_quantity(loop.tokens_per_second)} tokens/s"
    if loop.flops_utilization_ratio is not None:
        used = format_quantity(loop.flops_utilization_ratio, "ratio")
        text = "model FLOPs {used} of {format} peak"
        yield Message(text, used=used, format=loop.flops_format)


def _phase_row(phase: Phase, seconds: PhaseSeconds, step_seconds: float) -> tuple[str, ...]:
    host_seconds = seconds.host_seconds or 0.0
    return (
        PHASE_NAMES[phase],
        format_quantity(host_seconds, "seconds"),
        format_quantity(host_seconds / step_seconds, "ratio"),
        format_quantity(seconds.gpu_seconds, "seconds"),
        format_quantity(seconds.gpu_idle_seconds, "seconds"),
    )


def _device_row(device: RunDevice) -> tuple[str, ...]:
    return (
        _label(device),
        format_quantity(device.busy_percent, "percent"),
        format_quantity(device.peak_memory_used_bytes, "bytes"),
        format_quantity(device.mean_power_watts, "watts"),
        format_quantity(device.energy_joules, "J"),
        format_quantity(device.max_temperature_celsius, "celsius"),
    )


def _label(device: RunDevice) -> str:
    return f"GPU {device.index} {device.name}"
