"""Convert a precision profile to a benchmark result, which can be stored, compared and shown in the panel."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from jupyter_gpuperf.display.precision_result import NAME, all_outcomes
from jupyter_gpuperf.jobs.run_hooks import FinishedRun, store_for_user
from jupyter_gpuperf.measure.statistics import exact_interval
from jupyter_gpuperf.precision.options import ProfileOptions
from jupyter_gpuperf.precision.outcome import ModeOutcome, Profile
from jupyter_gpuperf.schemas import BenchmarkResult, Scalar

COPIED_FIELDS: Final = ("sentence", "recommended", "why_not_more", "next_steps", "code")


def store_profile(profile: Profile, options: ProfileOptions) -> FinishedRun:
    """Store a profile among the benchmark results; if that fails, add a warning to the profile."""
    result = msgspec.convert(profile_as_result(profile, options), BenchmarkResult)
    finished = store_for_user(result)
    profile.warnings += [each for each in finished.result.warnings if each not in result.warnings]
    return finished


def parameters_of(options: ProfileOptions) -> dict[str, Scalar]:
    """Return the requested options as parameters."""
    plain = {name: getattr(options, name) for name in ("compile", "steps", "rigorous")}
    return {"modes": ",".join(options.modes), **plain}


def profile_as_result(profile: Profile, options: ProfileOptions) -> dict[str, Any]:
    """Return a profile in the shape of a benchmark result, for the history and comparisons."""
    figures: dict[str, Any] = {}
    samples: dict[str, list[float]] = {}
    for each in all_outcomes(profile):
        if each.step_seconds is None:
            continue
        name = each.mode.replace("+", "_")
        figures[f"{name}_step_seconds"] = each.step_seconds
        samples[f"{name}_step_seconds"] = each.samples
        if each.speedup is not None and each.mode != "fp32":
            figures[f"{name}_speedup"] = each.speedup
        if each.peak_allocated_bytes is not None:
            figures[f"{name}_peak_bytes"] = exact_interval(each.peak_allocated_bytes)
        if each.compiled is not None:
            figures[f"{name}_compile_seconds"] = exact_interval(each.compiled["compile_seconds"])
    return {
        "benchmark": NAME,
        "parameters": {**parameters_of(options), "cell": profile.cell},
        "unit": "seconds",
        "figures": figures,
        "samples": samples,
        "environment": {**profile.environment, "recommended": profile.recommended},
        "limits": {},
        "warnings": profile.warnings,
        "precision": {
            **{name: getattr(profile, name) for name in COPIED_FIELDS},
            "now": profile.same_as_now,
            "modes": [_mode(each) for each in all_outcomes(profile)],
        },
    }


def _mode(outcome: ModeOutcome) -> dict[str, Any]:
    numerics = outcome.numerics or {}
    return {
        "mode": outcome.mode,
        "step_seconds": outcome.step_seconds,
        "speedup": outcome.speedup_over_now or outcome.speedup,
        "peak_bytes": outcome.peak_allocated_bytes,
        "compile_seconds": (outcome.compiled or {}).get("compile_seconds"),
        "steps_skipped": outcome.steps_skipped,
        "verdict": numerics.get("verdict"),
        "numbers": numerics.get("sentence", ""),
        "error": outcome.failure,
    }
