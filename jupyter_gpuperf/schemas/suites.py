"""Suites: the results of many benchmarks in one environment, for comparison with another environment."""

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
    """A benchmark of a suite that failed, and its error."""

    benchmark: str
    error: ErrorInfo


class SuiteResults(Struct, frozen=True, kw_only=True):
    """The results of a suite in one environment, as stored by ``bench suite --save``.

    There is one result per benchmark and round, each from its own process.
    """

    format: str
    format_version: int
    created_seconds: float
    """Unix time at which the suite began."""
    rounds: int
    results: list[BenchmarkResult]
    failures: list[SuiteFailure]


class FigureChange(WithMessages, frozen=True, kw_only=True):
    """The comparison of one figure in two environments."""

    benchmark: str
    parameters: dict[str, Scalar]
    figure: str
    unit: str
    before: Interval
    after: Interval
    ratio: Interval
    """``after / before``, with its 95 % interval."""
    verdict: Verdict
    """``unknown`` if the interval is too wide to conclude that both values are the same."""
    warnings: list[str]
    """Disturbances while either value was measured."""
    warnings_message: MessagesOrUnset = UNSET


class EnvironmentChange(Struct, frozen=True, kw_only=True):
    """A difference between two environments."""

    name: str
    before: Scalar | None
    after: Scalar | None


class SuiteComparison(Struct, frozen=True, kw_only=True):
    """Output of ``jupyter gpuperf compare``."""

    rounds: int
    """Number of rounds; if the suites differ, the lower number."""
    environment: list[EnvironmentChange]
    figures: list[FigureChange]
    only_before: list[str]
    """Benchmarks that only the first suite contains, with their settings."""
    only_after: list[str]
    """Benchmarks that only the second suite contains, with their settings."""


class ResultComparison(Struct, frozen=True, kw_only=True):
    """Answer of ``GET results/<id>/comparison``: the comparison of a stored result with another result."""

    id: int
    against: ResultSummary | None
    """The other result: the requested one, otherwise the baseline, otherwise the previous similar result; ``None`` if
    none exists."""
    figures: list[FigureChange]
    environment: list[EnvironmentChange]
    best: dict[str, float]
    """Figure with a limit → the highest stored value for this benchmark and device."""
    history: list[ResultSummary]
    """Results of the same benchmark, device and parameters, including this one; latest first."""


class SuiteRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of ``POST suites``."""

    benchmarks: list[str] = []
    """Names of benchmarks; if empty, all. Benchmarks that can't run on this machine are skipped and reported."""
    kernel_names: list[str] = []
    """One kernel spec, or two to compare; if empty, the default kernel."""
    device: str | None = None
    rounds: int = 5
    budget_seconds: float = 1800.0
    """Time limit of the suite. A round does not start if it would probably exceed the limit."""
    parameters: dict[str, dict[str, Any]] = {}
    """Benchmark → the parameters that differ from the defaults."""


class SuiteSide(Struct, frozen=True, kw_only=True):
    """The part of a suite that ran in one kernel's environment."""

    kernel_name: str | None
    title: str
    """Label that distinguishes the two sides."""
    result_ids: list[int]
    """Ids of the stored results of this side, in the order in which they were measured."""
    failures: list[SuiteFailure]


class SuiteInfo(WithMessages, frozen=True, kw_only=True):
    """The state of a suite. Times are Unix times, ``None`` until the event happened."""

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
    """Answer of ``GET suites``: suites, latest first."""

    suites: list[SuiteInfo]


class SuitesChanged(Suites, frozen=True, kw_only=True, tag="suites"):
    """All suites, sent on the live socket to clients that follow them."""


class SuiteReport(Struct, frozen=True, kw_only=True):
    """Answer of ``GET suites/<id>``: the results so far."""

    suite: SuiteInfo
    comparison: SuiteComparison | None
    """The comparison of two kernels, changes first; ``None`` for one kernel."""
    results: list[BenchmarkResult]
    """For a suite on one kernel: per benchmark, one result that combines its rounds, without samples. For two kernels:
    empty."""
