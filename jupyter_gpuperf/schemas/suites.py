"""Many results at once, to be held against those of another environment."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from jupyter_gpuperf.schemas.errors import ErrorInfo
from jupyter_gpuperf.schemas.jobs import BenchmarkResult, Interval, Scalar

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
