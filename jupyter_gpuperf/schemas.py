"""What crosses a wire: declared once here, and generated from here for TypeScript.

Encode with :data:`encode`; decode what comes in with ``msgspec.json.decode(body, type=…)``, which
validates. Constructing a struct does not validate. Wire fields have no defaults where the reader is
TypeScript: nullable and required keeps the generated types exact. Requests, which people write by
hand, have defaults.

Sizes are bytes, times seconds, unless a name says otherwise.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

API_VERSION: Final = 1

MissingReason = Literal[
    "not_supported",  # the device or driver has no such reading
    "no_permission",  # it has, but not for this user
    "device_lost",  # the device fell off the bus, or the driver was unloaded
    "not_answering",  # the call did not return in time
    "not_recorded",  # the replayed recording holds no such reading
    "not_yet",  # a rate needs two samples, and there is one so far
    "driver_error",  # the driver answered with another error; the log names it
]
"""Why there is no value. Missing is not zero."""

Reading = float | MissingReason
"""A value, or the reason why there is none."""

JobState = Literal["queued", "running", "done", "failed", "cancelled"]


# --- what can be sampled -----------------------------------------------------------------------


class MetricInfo(Struct, frozen=True, kw_only=True):
    """One metric of the catalogue.

    ``maximum`` is the top of the scale where it is a constant; ``maximum_metric`` names the metric
    that gives it where it depends on the device (memory used → memory total).
    """

    name: str
    label: str
    unit: str
    kind: Literal["gauge", "limit", "flags"]
    scope: Literal["device", "host"]
    help: str
    minimum: float | None
    maximum: float | None
    maximum_metric: str | None
    flags: dict[str, str]
    """For ``kind == "flags"``: bit value (as a decimal string) → what it means. Else empty."""


class Catalog(Struct, frozen=True, kw_only=True):
    """Answer of ``GET catalog``."""

    metrics: list[MetricInfo]


class DeviceInfo(Struct, frozen=True, kw_only=True):
    """One device. ``uuid`` is its key everywhere; ``index`` is for display only."""

    uuid: str
    index: int
    name: str
    driver_version: str | None
    memory_total_bytes: Reading
    power_limit_watts: Reading
    clock_sm_max_mhz: Reading
    clock_memory_max_mhz: Reading
    replayed: bool
    """True when the readings come from a recording, not from a device of this machine."""


class NoDevices(Struct, frozen=True, kw_only=True):
    """Why there is no device: what was looked for and found, and what to type."""

    code: str
    message: str
    hint: str


class Devices(Struct, frozen=True, kw_only=True):
    """Answer of ``GET devices``. Exactly one of the two is empty."""

    devices: list[DeviceInfo]
    reason: NoDevices | None


class Version(Struct, frozen=True, kw_only=True):
    """Answer of ``GET version``."""

    version: str
    api_version: int
    source: str
    """The source in use: ``nvml``, ``none``, or ``replay``; ``starting`` before the first tick."""


# --- readings ----------------------------------------------------------------------------------


class Frame(Struct, frozen=True, kw_only=True, tag="frame"):
    """All readings of one tick: device UUID → metric name → value or reason."""

    time_seconds: float
    """Unix time of the tick."""
    devices: dict[str, dict[str, Reading]]
    host: dict[str, Reading]


class Series(Struct, frozen=True, kw_only=True):
    """One metric's history, one entry per step; ``None`` where no tick had a value."""

    min: list[float | None]
    mean: list[float | None]
    max: list[float | None]


class Columns(Struct, frozen=True, kw_only=True):
    """One device's history: the steps' starting times, and a series per metric."""

    times_seconds: list[float]
    metrics: dict[str, Series]


class History(Struct, frozen=True, kw_only=True):
    """Answer of ``GET history``."""

    step_seconds: float
    devices: dict[str, Columns]
    host: Columns


class Hello(Struct, frozen=True, kw_only=True, tag="hello"):
    """First message of the live socket: all that a page needs to draw."""

    version: Version
    catalog: Catalog
    devices: Devices
    history: History
    interval_ms: int


class DevicesChanged(Struct, frozen=True, kw_only=True, tag="devices"):
    """The set of devices, or the reason why there is none, changed."""

    devices: Devices
    version: Version


class SocketError(Struct, frozen=True, kw_only=True, tag="error"):
    """A refusal on the live socket; the socket stays open."""

    code: str
    message: str
    hint: str


LiveMessage = Hello | Frame | DevicesChanged | SocketError
"""What the server sends on ``WS live``."""


class SetInterval(Struct, frozen=True, kw_only=True, tag="set_interval"):
    """What a client may send on ``WS live``: wish for another interval (100 to 60000 ms)."""

    interval_ms: int


# --- benchmarks and jobs -----------------------------------------------------------------------

Scalar = bool | int | float | str


class ParameterInfo(Struct, frozen=True, kw_only=True):
    """One parameter of a benchmark, enough to build a form, a flag and a check from."""

    name: str
    type: Literal["integer", "number", "boolean", "choice"]
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


class Interval(Struct, frozen=True, kw_only=True):
    """A measured value with its 95 % confidence interval, ``low <= value <= high``."""

    value: float
    low: float
    high: float


class BenchmarkResult(Struct, frozen=True, kw_only=True):
    """A benchmark's answer, as the worker sends it and as ``.to_dict()`` shows it."""

    benchmark: str
    parameters: dict[str, Scalar]
    unit: str
    """Unit of the figures that don't name another in their own name."""
    figures: dict[str, Interval]
    samples: dict[str, list[float]]
    """The raw samples behind each figure, in the order they were taken."""
    environment: dict[str, Scalar | None]
    limits: dict[str, float]
    warnings: list[str]


class ErrorInfo(Struct, frozen=True, kw_only=True):
    """A refusal: HTTP body of any 4xx or 5xx, and a failed job's error."""

    code: str
    message: str
    hint: str


class JobRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of ``POST jobs``."""

    benchmark: str
    parameters: dict[str, Any] = {}
    kernel_name: str | None = None
    device: str | None = None


class JobInfo(Struct, frozen=True, kw_only=True):
    """A job's state. Times are Unix seconds; ``None`` until they happened."""

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
    error: ErrorInfo | None
    log_tail: str


class Jobs(Struct, frozen=True, kw_only=True):
    """Answer of ``GET jobs``, newest first."""

    jobs: list[JobInfo]


# --- what TypeScript is generated from ---------------------------------------------------------

WIRE_TYPES: Final[tuple[type, ...]] = (
    Version,
    Catalog,
    Devices,
    Frame,
    History,
    Hello,
    DevicesChanged,
    SocketError,
    SetInterval,
    Benchmarks,
    JobRequest,
    Jobs,
    JobInfo,
    ErrorInfo,
)

_encoder = msgspec.json.Encoder()
encode = _encoder.encode
