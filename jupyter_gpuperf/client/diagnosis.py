"""``jupyter gpuperf diagnose``: diagnose recordings and this machine's devices."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec

from jupyter_gpuperf.errors import BadRequest, Unavailable
from jupyter_gpuperf.findings.rule_inputs import input_of_recording
from jupyter_gpuperf.findings.wire import finding_of
from jupyter_gpuperf.metrics import all_metrics
from jupyter_gpuperf.recorder.in_process import record_in_process
from jupyter_gpuperf.recordings.load import find_recording, load_recording
from jupyter_gpuperf.rules import Device, RuleInput, all_rules, judge
from jupyter_gpuperf.rules.busy_spans import steady_spans
from jupyter_gpuperf.schemas import Finding, RecordingRequest

SHORTEST_SECONDS: Final = 10.0
"""A shorter time shows no steady state."""
LONGEST_SECONDS: Final = 3600.0
LIVE_INTERVAL_MS: Final = 100
SIGNS: Final = {"critical": "✕", "warning": "▲", "info": "·"}


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """The input and the findings of a diagnosis."""

    source: str
    everything: RuleInput
    findings: Sequence[Finding]

    def to_dict(self) -> dict[str, Any]:
        """Return the diagnosis as ``--json`` prints it."""
        return {
            "source": self.source,
            "devices": [_described(each) for each in self.everything.devices],
            "findings": [msgspec.to_builtins(each, enc_hook=str) for each in self.findings],
        }

    def __repr__(self) -> str:
        return "\n".join([self._heading(), *map(self._paragraph, self.findings), self._verdict()])

    def _heading(self) -> str:
        return "\n".join(
            f"{_name(device, self.everything)}: {device.series.seconds:.0f} s in "
            f"{len(device.series.times_seconds)} readings, {_steady_in_words(device)}"
            for device in self.everything.devices
        )

    def _paragraph(self, finding: Finding) -> str:
        device = next(each for each in self.everything.devices if each.uuid == finding.device)
        place = f"{_name(device, self.everything)}: " if len(self.everything.devices) > 1 else ""
        cost = f" · {finding.cost.rstrip('.')}" if finding.cost else ""
        evidence = (f"{name} {_shown(name, value)}" for name, value in finding.evidence.items())
        lines = [
            "",
            f"{SIGNS[finding.severity]} {finding.code} · {finding.severity}, {finding.confidence}{cost}",
            f"  {place}{finding.summary}",
            f"  evidence  {' · '.join(evidence)}",
            f"  try       {finding.advice}",
            f"  refuted   {finding.refuted_by}",
        ]
        if finding.change:
            lines += ["  code", *(f"      {line}" for line in finding.change.splitlines())]
        return "\n".join(lines)

    def _verdict(self) -> str:
        if any(each.severity != "info" for each in self.findings):
            return ""
        if not any(steady_spans(device.series) for device in self.everything.devices):
            return "\nNo work was seen for long enough to be judged."
        return "\nNothing stands out: the work looks healthy."


def diagnosis_of(path: Path) -> Diagnosis:
    """Return the diagnosis of a recording.

    Raises
    ------
    BadRequest
        ``file_not_found``, or ``not_a_recording``.
    """
    metrics = all_metrics()
    try:
        recording = load_recording(path, metrics)
        everything = input_of_recording(recording, [metric.name for metric in metrics])
    except FileNotFoundError as error:
        message = f"There is no file {path}."
        raise BadRequest("file_not_found", message, "Name a recording.") from error
    except Exception as error:
        why = f"understood: {error}"
        if isinstance(error, OSError):
            why = f"read ({error.strerror or error})"
        hint = "Name a recording: jupyter gpuperf record FILE makes one."
        raise BadRequest("not_a_recording", f"{path} can't be {why}.", hint) from error
    findings = [
        finding_of(each, _since(everything, each.device)) for each in judge(everything, all_rules())
    ]
    return Diagnosis(str(find_recording(path)), everything, findings)


def diagnose_in_process(seconds: float, source: str) -> Diagnosis:
    """Record this machine's devices for ``seconds`` and return the diagnosis; blocks for that time.

    Raises
    ------
    BadRequest
        ``parameter_out_of_range``, ``unknown_source``.
    Unavailable
        There is no GPU (the code is the driver's reason), or nothing can be recorded.
    """
    if not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:
        hint = f"Give {SHORTEST_SECONDS:g} to {LONGEST_SECONDS:g} seconds."
        raise BadRequest("parameter_out_of_range", f"{seconds:g} s can't be diagnosed.", hint)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "live.jsonl.gz"
        request = RecordingRequest(label="live", interval_ms=LIVE_INTERVAL_MS, seconds=seconds)
        recorder = record_in_process(
            path, request, source=source, stopping=threading.Event().is_set
        )
        if recorder.error is not None:
            raise Unavailable(**msgspec.structs.asdict(recorder.error))
        return replace(diagnosis_of(path), source="live")


def _since(everything: RuleInput, uuid: str | None) -> float:
    device = next(each for each in everything.devices if each.uuid == uuid)
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


def _steady_in_words(device: Device) -> str:
    spans = steady_spans(device.series)
    if not spans:
        return "no steady work"
    times = ", ".join(f"{each.start_seconds:.0f} to {each.end_seconds:.0f} s" for each in spans[:4])
    return f"steady work from {times}" + (" and later" if len(spans) > 4 else "")


def _name(device: Device, everything: RuleInput) -> str:
    return f"GPU {device.index} {device.name}" if len(everything.devices) > 1 else device.name


def _shown(name: str, value: float | str) -> str:
    if isinstance(value, str):
        return value
    if name.endswith("_ratio"):
        return f"{value:.0%}" if value <= 1 else f"{value:.2f}"
    for suffix, unit in (("_bytes_per_second", "GB/s"), ("_bytes", "GB")):
        if name.endswith(suffix):
            return f"{value / 1e9:.2f} {unit}"
    return f"{value:.4g}"
