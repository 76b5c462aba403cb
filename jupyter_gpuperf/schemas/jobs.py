"""Benchmarks and the jobs that run them."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct

from jupyter_gpuperf.schemas.errors import ErrorInfo
from jupyter_gpuperf.schemas.messages import MessageOrUnset, MessagesOrUnset, WithMessages
from jupyter_gpuperf.schemas.precision import Interval, PrecisionProfile

JobState = Literal["queued", "running", "done", "failed", "cancelled"]


Scalar = bool | int | float | str


class ParameterInfo(Struct, frozen=True, kw_only=True):
    """One parameter of a benchmark, enough to build a form, a flag and a check from."""

    name: str
    type: Literal["integer", "number", "boolean", "choice", "text"]
    default: Scalar
    minimum: float | None
    maximum: float | None
    choices: list[str]
    help: str


class BenchmarkInfo(Struct, frozen=True, kw_only=True):
    """One benchmark."""

    name: str
    label: str
    help: str
    requires: list[str]
    """Python packages that the kernel's environment must have."""
    parameters: list[ParameterInfo]


class Benchmarks(Struct, frozen=True, kw_only=True):
    """Answer of ``GET benchmarks``."""

    benchmarks: list[BenchmarkInfo]


class BenchmarkResult(WithMessages, frozen=True, kw_only=True, omit_defaults=True):
    """A benchmark's result, as sent by the worker and returned by ``.to_dict()``."""

    benchmark: str
    parameters: dict[str, Scalar]
    unit: str
    """Unit of the figures whose names contain no unit."""
    figures: dict[str, Interval]
    samples: dict[str, list[float]]
    """The raw samples behind each figure, in the order in which they were taken."""
    environment: dict[str, Scalar | None]
    limits: dict[str, float]
    warnings: list[str]
    precision: PrecisionProfile | None = None
    """The result of ``%%amp_profile`` beyond its figures; absent from all other results."""
    warnings_message: MessagesOrUnset = UNSET


class KeptResult(Struct, frozen=True, kw_only=True):
    """A result in the user's file."""

    id: int
    created_seconds: float
    """Unix time."""
    baseline: bool
    """Whether later results of the same benchmark, device and parameters are compared with it."""
    result: BenchmarkResult


class Results(Struct, frozen=True, kw_only=True):
    """Answer of ``GET results``, latest first."""

    results: list[KeptResult]


class ResultSummary(Struct, frozen=True, kw_only=True):
    """A stored result without its samples: a line of a list, a point of a chart."""

    id: int
    created_seconds: float
    baseline: bool
    unit: str
    figures: dict[str, Interval]
    """The measured figures, without those derived from them."""


class JobRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of ``POST jobs``."""

    benchmark: str
    parameters: dict[str, Any] = {}
    kernel_name: str | None = None
    device: str | None = None


class JobInfo(WithMessages, frozen=True, kw_only=True):
    """A job's state. Times are Unix seconds; ``None`` until the event happened."""

    id: str
    benchmark: str
    parameters: dict[str, Scalar]
    kernel_name: str | None
    device: str | None
    state: JobState
    progress_ratio: float
    progress_message: str
    created_seconds: float
    started_seconds: float | None
    ended_seconds: float | None
    result: BenchmarkResult | None
    result_id: int | None = None
    """The result's number among the stored results; ``None`` if it could not be stored."""
    remaining_seconds: float | None = None
    """Maximum remaining time, estimated from the pace; ``None`` while there is no estimate."""
    waits_for: list[str] = msgspec.field(default_factory=list)
    """Ids of the jobs ahead of it, the next one first; empty once it runs."""
    suite: str | None = None
    """The suite that it belongs to."""
    error: ErrorInfo | None
    log_tail: str
    progress_message_message: MessageOrUnset = UNSET


class JobsChanged(Struct, frozen=True, kw_only=True, tag="jobs"):
    """Sent on the live socket to clients that follow the jobs: the changes."""

    jobs: list[JobInfo]
    """Changed jobs, and all queued or running ones; latest first."""
    ids: list[str]
    """All jobs that the server remembers, latest first."""


class Jobs(Struct, frozen=True, kw_only=True):
    """Answer of ``GET jobs``, latest first."""

    jobs: list[JobInfo]
