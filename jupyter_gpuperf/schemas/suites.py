"""Many results at once, to be held against those of another environment."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from jupyter_gpuperf.schemas.errors import ErrorInfo
from jupyter_gpuperf.schemas.jobs import BenchmarkResult, JobState, ResultSummary, Scalar
from jupyter_gpuperf.schemas.precision import Interval

SUITE_FORMAT = "gpuperf-suite"
SUITE_VERSION = 1

Verdict = Literal["better", "worse", "same", "unknown"]


class SuiteFailure(Struct, frozen=True, kw_only=True):
    """A benchmark of a suite that gave no result, and why."""

    benchmark: str
    error: ErrorInfo


class Suite(Struct, frozen=True, kw_only=True):
    """What ``bench suite --save`` writes: every result, each round of them in a process of its own."""

    format: str
    format_version: int
    created_seconds: float
    """Unix time at which it began."""
    rounds: int
    results: list[BenchmarkResult]
    failures: list[SuiteFailure]


class FigureChange(Struct, frozen=True, kw_only=True):
    """One figure in two environments."""

    benchmark: str
    parameters: dict[str, Scalar]
    figure: str
    unit: str
    before: Interval
    after: Interval
    ratio: Interval
    """``after / before``, with its 95 % interval."""
    verdict: Verdict
    """``unknown``: the interval is too wide to say that they are the same."""
    warnings: list[str]
    """What disturbed either side."""


class EnvironmentChange(Struct, frozen=True, kw_only=True):
    """Something of the environment that is not the same."""

    name: str
    before: Scalar | None
    after: Scalar | None


class SuiteComparison(Struct, frozen=True, kw_only=True):
    """What ``jupyter gpuperf compare`` answers."""

    rounds: int
    """Rounds of the side that has fewer."""
    environment: list[EnvironmentChange]
    figures: list[FigureChange]
    only_before: list[str]
    """Benchmarks that only the first has."""
    only_after: list[str]


class ResultComparison(Struct, frozen=True, kw_only=True):
    """Answer of ``GET results/<id>/comparison``: what a kept result is held against."""

    id: int
    against: ResultSummary | None
    """The baseline, else the one before it; ``None`` where there is none like it."""
    figures: list[FigureChange]
    environment: list[EnvironmentChange]
    best: dict[str, float]
    """Figure with a limit → the highest kept of this benchmark and device."""
    history: list[ResultSummary]
    """The same benchmark, device and parameters, this result included; newest first."""


class SuiteRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of ``POST suites``."""

    benchmarks: list[str] = []
    """Empty: all; what does not fit this machine is left out, and said."""
    kernel_names: list[str] = []
    """One kernel spec, or two to hold against each other; empty: the default one."""
    device: str | None = None
    rounds: int = 5
    budget_seconds: float = 1800.0
    """No round is begun that would go beyond."""
    parameters: dict[str, dict[str, Any]] = {}
    """Benchmark → parameters other than the defaults."""


class SuiteSide(Struct, frozen=True, kw_only=True):
    """What ran in one kernel's environment."""

    kernel_name: str | None
    title: str
    """Tells it from the other side."""
    result_ids: list[int]
    """Its results among the kept ones, in the order they were taken."""
    failures: list[SuiteFailure]


class SuiteInfo(Struct, frozen=True, kw_only=True):
    """A suite's state. Times are Unix seconds; ``None`` until they happened."""

    id: str
    benchmarks: list[str]
    device: str | None
    rounds: int
    budget_seconds: float
    sides: list[SuiteSide]
    state: JobState
    rounds_done: int
    progress_ratio: float
    progress_message: str
    remaining_seconds: float | None
    created_seconds: float
    started_seconds: float | None
    ended_seconds: float | None
    error: ErrorInfo | None


class Suites(Struct, frozen=True, kw_only=True):
    """Answer of ``GET suites``, newest first."""

    suites: list[SuiteInfo]


class SuitesChanged(Suites, frozen=True, kw_only=True, tag="suites"):
    """All suites, on the live socket, for those who follow them."""


class SuiteReport(Struct, frozen=True, kw_only=True):
    """Answer of ``GET suites/<id>``: what it has found so far."""

    suite: SuiteInfo
    comparison: SuiteComparison | None
    """Of two kernels; what changed comes first."""
    results: list[BenchmarkResult]
    """Of one kernel: its rounds as one result a benchmark, without samples."""
