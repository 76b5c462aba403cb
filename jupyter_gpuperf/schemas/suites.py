"""Suites: many results at once, for comparison with those of another environment."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, Struct

from jupyter_gpuperf.schemas.errors import ErrorInfo
from jupyter_gpuperf.schemas.jobs import BenchmarkResult, JobState, ResultSummary, Scalar
from jupyter_gpuperf.schemas.messages import MessageOrUnset, MessagesOrUnset, WithMessages
from jupyter_gpuperf.schemas.precision import Interval

SUITE_FORMAT = "gpuperf-suite"
SUITE_VERSION = 1

Verdict = Literal["better", "worse", "same", "unknown"]


class SuiteFailure(Struct, frozen=True, kw_only=True):
    """A benchmark of a suite that gave no result, and why."""

    benchmark: str
    error: ErrorInfo


class Suite(Struct, frozen=True, kw_only=True):
    """The file written by ``bench suite --save``: every result; each round of a benchmark ran in its own process."""

    format: str
    format_version: int
    created_seconds: float
    """Unix time at which it began."""
    rounds: int
    results: list[BenchmarkResult]
    failures: list[SuiteFailure]


class FigureChange(WithMessages, frozen=True, kw_only=True):
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
    """``unknown``: the interval is too wide to conclude that they are the same."""
    warnings: list[str]
    """Disturbances on either side."""
    warnings_message: MessagesOrUnset = UNSET


class EnvironmentChange(Struct, frozen=True, kw_only=True):
    """A difference between two environments."""

    name: str
    before: Scalar | None
    after: Scalar | None


class SuiteComparison(Struct, frozen=True, kw_only=True):
    """Output of ``jupyter gpuperf compare``."""

    rounds: int
    """Rounds of the side with fewer rounds."""
    environment: list[EnvironmentChange]
    figures: list[FigureChange]
    only_before: list[str]
    """Benchmarks that only the first suite has."""
    only_after: list[str]


class ResultComparison(Struct, frozen=True, kw_only=True):
    """Answer of ``GET results/<id>/comparison``: the comparison of a stored result with another one."""

    id: int
    against: ResultSummary | None
    """The baseline, otherwise the previous result; ``None`` if there is none like it."""
    figures: list[FigureChange]
    environment: list[EnvironmentChange]
    best: dict[str, float]
    """Figure with a limit → the highest stored value for this benchmark and device."""
    history: list[ResultSummary]
    """Results of the same benchmark, device and parameters, including this one; latest first."""


class SuiteRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of ``POST suites``."""

    benchmarks: list[str] = []
    """Empty: all; benchmarks that don't fit this machine are left out and reported."""
    kernel_names: list[str] = []
    """One kernel spec, or two to compare; empty: the default one."""
    device: str | None = None
    rounds: int = 5
    budget_seconds: float = 1800.0
    """No round starts that would exceed it."""
    parameters: dict[str, dict[str, Any]] = {}
    """Benchmark → parameters that differ from the defaults."""


class SuiteSide(Struct, frozen=True, kw_only=True):
    """The part of a suite that ran in one kernel's environment."""

    kernel_name: str | None
    title: str
    """Label that distinguishes the two sides."""
    result_ids: list[int]
    """Numbers of its results among the stored results, in the order in which they were taken."""
    failures: list[SuiteFailure]


class SuiteInfo(WithMessages, frozen=True, kw_only=True):
    """A suite's state. Times are Unix seconds; ``None`` until the event happened."""

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
    progress_message_message: MessageOrUnset = UNSET


class Suites(Struct, frozen=True, kw_only=True):
    """Answer of ``GET suites``, latest first."""

    suites: list[SuiteInfo]


class SuitesChanged(Suites, frozen=True, kw_only=True, tag="suites"):
    """All suites, sent on the live socket to clients that follow them."""


class SuiteReport(Struct, frozen=True, kw_only=True):
    """Answer of ``GET suites/<id>``: the results so far."""

    suite: SuiteInfo
    comparison: SuiteComparison | None
    """For two kernels; changes come first."""
    results: list[BenchmarkResult]
    """For one kernel: the rounds of each benchmark as one result, without samples."""
