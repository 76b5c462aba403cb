"""Results to keep and to compare."""

from __future__ import annotations

from jupyter_gpuperf.schemas import BenchmarkResult, Interval, SuiteResults


def measured(
    value=1.0,
    *,
    reach=0.01,
    benchmark="compute",
    figure="pass_seconds",
    parameters=None,
    environment=None,
    warnings=(),
) -> BenchmarkResult:
    """Return a result with one figure, known to ``reach``."""
    return BenchmarkResult(
        benchmark=benchmark,
        parameters={"batch_size": 64, "rigorous": False, **(parameters or {})},
        unit="seconds",
        figures={
            figure: Interval(value=value, low=value * (1 - reach), high=value * (1 + reach)),
            "images_per_second": Interval(value=64.0, low=60.0, high=70.0),  # derived
        },
        samples={figure: [value, value]},
        environment={"device_name": "NVIDIA H100", "torch": "2.11", **(environment or {})},
        limits={},
        warnings=list(warnings),
    )


def suite(*results, rounds=3) -> SuiteResults:
    """Return a suite of these results."""
    return SuiteResults(
        format="gpuperf-suite",
        format_version=1,
        created_seconds=0.0,
        rounds=rounds,
        results=list(results),
        failures=[],
    )
