"""Benchmarks and the jobs that run them."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct

from jupyter_gpuperf.schemas.bounds import Count, Ratio, Seconds, UnixSeconds, Whole
from jupyter_gpuperf.schemas.errors import ErrorInfo
from jupyter_gpuperf.schemas.messages import MessageOrUnset, MessagesOrUnset, WithMessages
from jupyter_gpuperf.schemas.precision import Interval, PrecisionProfile
from jupyter_gpuperf.schemas.speedup import SpeedupReport

JobState = Literal["queued", "running", "done", "failed", "cancelled"]


Scalar = bool | Whole | float | str


class ParameterInfo(Struct, frozen=True, kw_only=True):
    """One parameter of a benchmark, with all data for a form field, a command-line option and validation."""

    name: str
    type: Literal["integer", "number", "boolean", "choice", "text"]
    default: Scalar
    minimum: float | None
    maximum: float | None
    choices: list[str]
    help: str


class BenchmarkInfo(Struct, frozen=True, kw_only=True):
    """One benchmark and its parameters."""

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
    """The result of a benchmark, as sent by the worker and returned by ``.to_dict()``."""

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
    """Further results of ``%%amp_profile``; absent from all other benchmarks' results."""
    speedup: SpeedupReport | None = None
    """Further results of ``%%speedup``; absent from all other benchmarks' results."""
    warnings_message: MessagesOrUnset = UNSET


class KeptResult(Struct, frozen=True, kw_only=True):
    """A result in the user's results file."""

    id: int
    created_seconds: float
    """Unix time at which the result was stored."""
    baseline: bool
    """Whether later results of the same benchmark, device and parameters are compared with this one."""
    result: BenchmarkResult


class Results(Struct, frozen=True, kw_only=True):
    """Answer of ``GET results``: stored results, latest first."""

    results: list[KeptResult]


class ResultSummary(Struct, frozen=True, kw_only=True):
    """A stored result without its samples, for lists and charts."""

    id: int
    created_seconds: float
    baseline: bool
    unit: str
    figures: dict[str, Interval]
    """The measured figures, without figures derived from them."""


class JobRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of ``POST jobs``."""

    benchmark: str
    parameters: dict[str, Any] = {}
    kernel_name: str | None = None
    device: str | None = None


class JobInfo(WithMessages, frozen=True, kw_only=True):
    """The state of a job. Times are Unix times, ``None`` until the event happened."""

    id: str
    benchmark: str
    parameters: dict[str, Scalar]
    kernel_name: str | None
    device: str | None
    """UUID of the device that was assigned to the job; ``None`` if it runs on the CPU or on all devices."""
    state: JobState
    progress_ratio: Ratio
    progress_message: str
    created_seconds: UnixSeconds
    started_seconds: UnixSeconds | None
    ended_seconds: UnixSeconds | None
    result: BenchmarkResult | None
    result_id: Count | None = None
    """The id of the stored result; ``None`` if there is no result or it could not be stored."""
    remaining_seconds: Seconds | None = None
    """Maximum remaining time, estimated from the progress so far; ``None`` while there is no estimate."""
    waits_for: list[str] = msgspec.field(default_factory=list)
    """Ids of the jobs ahead of this job, the next one first; empty once this job runs."""
    suite: str | None = None
    """Id of the suite that the job belongs to; ``None`` if there is none."""
    error: ErrorInfo | None
    log_tail: str
    progress_message_message: MessageOrUnset = UNSET


class JobsChanged(Struct, frozen=True, kw_only=True, tag="jobs"):
    """Changes of the jobs, sent on the live socket to clients that follow them."""

    jobs: list[JobInfo]
    """Changed jobs and all queued or running jobs, latest first."""
    ids: list[str]
    """Ids of all jobs that the server still lists, latest first."""


class Jobs(Struct, frozen=True, kw_only=True):
    """Answer of ``GET jobs``: jobs, latest first."""

    jobs: list[JobInfo]
