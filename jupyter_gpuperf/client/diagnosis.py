"""``jupyter gpuperf diagnose``: diagnose recordings and this machine's devices."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec

from jupyter_gpuperf.display.blocks import Block, Line
from jupyter_gpuperf.display.document import Displayed, joined
from jupyter_gpuperf.display.finding_view import finding_boxes
from jupyter_gpuperf.errors import BadRequest, Unavailable
from jupyter_gpuperf.findings.build_rule_input import input_of_recording
from jupyter_gpuperf.findings.wire_format import causes_of, finding_of
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.metrics import all_metrics
from jupyter_gpuperf.recorder.in_process import record_in_process
from jupyter_gpuperf.recordings.load import find_recording, load_recording
from jupyter_gpuperf.rules import Device, RuleInput, all_rules, judge, undecided_on
from jupyter_gpuperf.rules.busy_spans import steady_spans
from jupyter_gpuperf.schemas import Finding, RecordingRequest
from jupyter_gpuperf.schemas.findings import UndecidedCauses

SHORTEST_SECONDS: Final = 10.0
"""A shorter recording contains no steady state."""
LONGEST_SECONDS: Final = 3600.0
LIVE_INTERVAL_MS: Final = 100


@dataclass(frozen=True, repr=False)
class Diagnosis(Displayed):
    """The findings of a diagnosis, and the readings that they are based on."""

    source: str
    rule_input: RuleInput
    findings: Sequence[Finding]
    undecided: Sequence[UndecidedCauses]

    def to_dict(self) -> dict[str, Any]:
        """Return the diagnosis as ``--json`` prints it."""
        return {
            "source": self.source,
            "devices": [_described(each) for each in self.rule_input.devices],
            "findings": [msgspec.to_builtins(each, enc_hook=str) for each in self.findings],
            "undecided": [msgspec.to_builtins(each, enc_hook=str) for each in self.undecided],
        }

    def blocks(self) -> Iterator[Block]:
        """Yield a line per device, the findings, and the verdict if there is no problem."""
        devices = self.rule_input.devices
        for device in devices:
            yield Line(self._heading(device))
        yield from finding_boxes(
            self.findings, {device.uuid: self._name(device) for device in devices}
        )
        if all(each.severity == "info" for each in self.findings):
            worked = any(steady_spans(device.series) for device in devices)
            open_codes = {code for each in self.undecided for code in each.codes}
            is_open = any(each.code in open_codes for each in self.findings)
            found = Message("No cause is certain.") if is_open else Message("No problems found.")
            yield Line(found if worked else Message("No work lasted long enough to judge."))
        for device in devices:
            place = self._name(device) if len(devices) > 1 else ""
            for causes in self.undecided:
                if causes.device == device.uuid:
                    yield Line(joined([place, causes.summary], ": "), "quiet")

    def _heading(self, device: Device) -> Message:
        spans = steady_spans(device.series)
        shown = [f"{each.start_seconds:.0f}–{each.end_seconds:.0f} s" for each in spans[:4]]
        work = "steady work at {spans}" if len(spans) <= 4 else "steady work at {spans} and later"
        return Message(
            "{device}: {seconds:.0f} s, {readings} readings, {work}",
            device=self._name(device),
            seconds=device.series.seconds,
            readings=len(device.series.times_seconds),
            work=Message(work if spans else "no steady work", spans=shown),
        )

    def _name(self, device: Device) -> str:
        several = len(self.rule_input.devices) > 1
        return f"GPU {device.index} {device.name}" if several else device.name


def diagnosis_of(path: Path) -> Diagnosis:
    """Return the diagnosis of a recording.

    Raises
    ------
    BadRequest
        ``file_not_found``, or ``not_a_recording``: the file can't be read, or has another format.
    """
    metrics = all_metrics()
    try:
        recording = load_recording(path, metrics)
        rule_input = input_of_recording(recording, [metric.name for metric in metrics])
    except FileNotFoundError as error:
        hint = "Give the path of a recording."
        raise BadRequest("file_not_found", "There is no file {path}.", hint, path=path) from error
    except Exception as error:  # a file may contain anything
        message = "{path} is not a recording: {error}"
        if isinstance(error, OSError):
            message = "{path} can't be read: {error}"
        hint = "jupyter gpuperf record FILE creates a recording."
        reason = getattr(error, "strerror", None) or error  # without the path
        raise BadRequest("not_a_recording", message, hint, path=path, error=reason) from error
    rules = all_rules()
    findings = [
        finding_of(each, _since(rule_input, each.device)) for each in judge(rule_input, rules)
    ]
    undecided = [causes_of(each) for each in undecided_on(rule_input.devices, rules)]
    return Diagnosis(str(find_recording(path)), rule_input, findings, undecided)


def diagnose_in_process(seconds: float, source: str) -> Diagnosis:
    """Record this machine's devices for ``seconds`` and return the diagnosis. The call blocks for that time.

    Raises
    ------
    BadRequest
        ``parameter_out_of_range``, ``unknown_source``.
    Unavailable
        There is no GPU (the code is the driver's reason), or nothing can be recorded.
    """
    if not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:
        message = "Can't diagnose a span of {seconds:g} s."
        hint = "Choose from {shortest:g} to {longest:g} seconds."
        figures = {"seconds": seconds, "shortest": SHORTEST_SECONDS, "longest": LONGEST_SECONDS}
        raise BadRequest("parameter_out_of_range", message, hint, **figures)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "live.jsonl.gz"
        request = RecordingRequest(label="live", interval_ms=LIVE_INTERVAL_MS, seconds=seconds)
        recorder = record_in_process(
            path, request, source=source, stopping=threading.Event().is_set
        )
        if recorder.error is not None:
            raise Unavailable(**msgspec.structs.asdict(recorder.error))
        return replace(diagnosis_of(path), source="live")


def _since(rule_input: RuleInput, uuid: str | None) -> float:
    device = next(each for each in rule_input.devices if each.uuid == uuid)
    spans = steady_spans(device.series)
    return spans[0].start_seconds if spans else device.series.times_seconds[0]


def _described(device: Device) -> dict[str, Any]:
    return {
        "uuid": device.uuid,
        "name": device.name,
        "seconds": device.series.seconds,
        "readings_count": len(device.series.times_seconds),
        "steady": [
            {"from_seconds": each.start_seconds, "to_seconds": each.end_seconds}
            for each in steady_spans(device.series)
        ],
    }
