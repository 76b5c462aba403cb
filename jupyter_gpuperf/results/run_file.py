"""Runs of scripts as files, and as results that can be compared like those of benchmarks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from jupyter_gpuperf.results.files import read_as, require_format
from jupyter_gpuperf.schemas import BenchmarkResult, Interval, Scalar, SuiteResults
from jupyter_gpuperf.schemas.runs import RUN_FORMAT, RUN_VERSION, RunLoop, RunRecord


def read_run(path: Path) -> SuiteResults:
    """Read a run from a file, as the results of one round.

    Raises
    ------
    NotFound
        ``file_not_found``: the file can't be read.
    BadRequest
        ``not_a_run``: the file does not contain a run, or has a format that this version does not support.
    """
    record = read_as(
        RunRecord, path, "not_a_run", message="{path} does not contain a run: {error}."
    )
    require_format(record, path, "not_a_run", RUN_FORMAT, RUN_VERSION)
    return _as_results(record)


def _as_results(run: RunRecord) -> SuiteResults:
    """Return a run's loops as the results of one round; loops that were too short for an interval are left out."""
    return SuiteResults(
        format=run.format,
        format_version=run.format_version,
        created_seconds=run.began_seconds,
        rounds=1,
        results=list(_results(run)),
        failures=[],
    )


def _results(run: RunRecord) -> Iterator[BenchmarkResult]:
    clocks = {each.uuid: each.mean_clock_sm_mhz for each in run.devices}
    seen: Counter[tuple[str, int | None]] = Counter()
    for loop in run.loops:
        number = seen[loop.name, loop.rank]
        seen[loop.name, loop.rank] += 1
        if loop.step_seconds is not None:
            yield BenchmarkResult(
                benchmark=loop.name,
                parameters=dict(_settings(loop, number)),
                unit="",
                figures=dict(_figures(loop, loop.step_seconds)),
                samples={},
                environment={
                    **run.environment,
                    "clock_sm_mhz": clocks.get(loop.device_uuid or ""),
                },
                limits={},
                warnings=[],
            )


def _settings(loop: RunLoop, number: int) -> Iterator[tuple[str, Scalar]]:
    """Yield what must agree for two loops to be comparable. Workers may be what was changed."""
    if loop.batch_size is not None:
        yield "batch_size", loop.batch_size
    if loop.rank is not None:
        yield "rank", loop.rank
    if number:
        yield "number", number + 1


def _figures(loop: RunLoop, step_seconds: Interval) -> Iterator[tuple[str, Interval]]:
    yield "step_seconds", step_seconds
    peak = loop.memory.peak_allocated_bytes
    if peak:
        yield "peak_allocated_bytes", Interval(value=peak, low=peak, high=peak)
