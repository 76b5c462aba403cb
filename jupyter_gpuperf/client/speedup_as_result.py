"""Convert what ``%%speedup`` found to a benchmark result, which can be stored, saved, compared and shown in the panel."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from typing import Any

import msgspec

from jupyter_gpuperf.display.cell_speedup import NAME, facts_of, sentence_of, whole_code
from jupyter_gpuperf.jobs.run_hooks import FinishedRun, store_for_user
from jupyter_gpuperf.levers.options import SpeedupOptions
from jupyter_gpuperf.levers.outcome import LeverOutcome, Speedup
from jupyter_gpuperf.measure.statistics import exact_interval
from jupyter_gpuperf.schemas import BenchmarkResult, Scalar, SpeedupReport


def store_speedup(found: Speedup, options: SpeedupOptions, source: str) -> FinishedRun:
    """Store an answer among the benchmark results; if that fails, add a warning to the answer."""
    result = speedup_as_result(found, options, source)
    finished = store_for_user(result)
    found.warnings += [each for each in finished.result.warnings if each not in result.warnings]
    return finished


def parameters_of(options: SpeedupOptions) -> dict[str, Scalar]:
    """Return the requested options as parameters."""
    return {name: getattr(options, name) for name in options.__dataclass_fields__}


def speedup_as_result(found: Speedup, options: SpeedupOptions, source: str) -> BenchmarkResult:
    """Return an answer in the shape of a benchmark result. Answers about the same cell are comparable."""
    figures: dict[str, Any] = {
        "after_seconds": found.after_seconds,  # first: lists of results show the first figure
        "before_seconds": found.before_seconds,
        "speedup": found.speedup,
    }
    samples = dict(found.samples)
    for side in ("before", "after"):
        if (peak := found.memory.get(f"{side}_bytes")) is not None:
            figures[f"{side}_peak_bytes"] = exact_interval(peak)
            samples[f"{side}_peak_bytes"] = [float(peak)]
    losses = {name: [*map(_finite, each)] for name, each in found.losses.items()}
    content = {
        "benchmark": NAME,
        "parameters": {**parameters_of(options), "cell": f"{zlib.crc32(source.encode()):08x}"},
        "unit": "seconds",
        "figures": figures,
        "samples": samples,
        "environment": {**found.environment, "levers": ", ".join(found.taken) or None},
        "limits": {},
        "warnings": found.warnings,
        "speedup": {
            **_report(found.levers),
            "sentence": sentence_of(found),
            "code": whole_code(found),
            "setup": found.setup,
            "facts": [*facts_of(found)],
            "steps_per_run": found.steps_per_run,
            "losses": losses or None,
        },
    }
    return msgspec.convert(content, BenchmarkResult)


def report_so_far(levers: Sequence[LeverOutcome]) -> SpeedupReport:
    """Return what a search has found until now."""
    return msgspec.convert(_report(levers), SpeedupReport)


def _report(levers: Sequence[LeverOutcome]) -> dict[str, Any]:
    names = ("name", "taken", "why", "speedup", "speedup_so_far")
    return {
        "sentence": "",
        "levers": [{name: getattr(each, name) for name in names} for each in levers],
        "code": "",
        "setup": "",
        "facts": [],
        "steps_per_run": 0,
        "losses": None,
    }


def _finite(loss: float) -> float | None:
    return loss if math.isfinite(loss) else None
