"""What crosses a wire: declared once here, and generated from here for TypeScript.

Encode with :data:`encode`; decode what comes in with ``msgspec.json.decode(body, type=…)``, which
validates. Constructing a struct does not validate. Wire fields have no defaults where the reader is
TypeScript: nullable and required keeps the generated types exact. Requests, which people write by
hand, have defaults.

Sizes are bytes, times seconds, unless a name says otherwise.
"""

from __future__ import annotations

from typing import Final

import msgspec

from jupyter_gpuperf.schemas.doctor import (
    CheckFinding,
    CheckStatus,
    DoctorChange,
    DoctorComparison,
    DoctorReport,
)
from jupyter_gpuperf.schemas.errors import ErrorInfo, Sentences
from jupyter_gpuperf.schemas.findings import Finding, FindingsChanged
from jupyter_gpuperf.schemas.jobs import (
    BenchmarkInfo,
    BenchmarkResult,
    Benchmarks,
    JobInfo,
    JobRequest,
    Jobs,
    JobState,
    KeptResult,
    ParameterInfo,
    Results,
    ResultSummary,
    Scalar,
)
from jupyter_gpuperf.schemas.live import LiveMessage
from jupyter_gpuperf.schemas.precision import Interval, PrecisionMode, PrecisionProfile
from jupyter_gpuperf.schemas.processes import (
    DeviceProcesses,
    KernelInfo,
    KernelReport,
    ListedProcess,
    ListedProcesses,
    Processes,
    ProcessInfo,
)
from jupyter_gpuperf.schemas.readings import (
    LONGEST_INTERVAL_MS,
    SHORTEST_INTERVAL_MS,
    Alert,
    AlertsChanged,
    Catalog,
    Columns,
    DeviceInfo,
    Devices,
    DevicesChanged,
    DeviceState,
    Frame,
    Hello,
    History,
    MetricInfo,
    MissingReason,
    NoDevices,
    Reading,
    Readings,
    Series,
    SetInterval,
    SocketError,
    Version,
)
from jupyter_gpuperf.schemas.recordings import RecordingInfo, RecordingRequest, Recordings
from jupyter_gpuperf.schemas.suites import (
    SUITE_FORMAT,
    SUITE_VERSION,
    EnvironmentChange,
    FigureChange,
    ResultComparison,
    Suite,
    SuiteComparison,
    SuiteFailure,
    SuiteInfo,
    SuiteReport,
    SuiteRequest,
    Suites,
    SuiteSide,
    Verdict,
)
from jupyter_gpuperf.schemas.training import (
    CellMark,
    ExplainRequest,
    LoaderSteps,
    NotebookTraining,
    StepBin,
    Training,
    TrainingNow,
)

__all__ = [
    "API_VERSION",
    "LONGEST_INTERVAL_MS",
    "SHORTEST_INTERVAL_MS",
    "SUITE_FORMAT",
    "SUITE_VERSION",
    "WIRE_TYPES",
    "Alert",
    "AlertsChanged",
    "BenchmarkInfo",
    "BenchmarkResult",
    "Benchmarks",
    "Catalog",
    "CellMark",
    "CheckFinding",
    "CheckStatus",
    "Columns",
    "DeviceInfo",
    "DeviceProcesses",
    "DeviceState",
    "Devices",
    "DevicesChanged",
    "DoctorChange",
    "DoctorComparison",
    "DoctorReport",
    "EnvironmentChange",
    "ErrorInfo",
    "ExplainRequest",
    "FigureChange",
    "Finding",
    "FindingsChanged",
    "Frame",
    "Hello",
    "History",
    "Interval",
    "JobInfo",
    "JobRequest",
    "JobState",
    "Jobs",
    "KeptResult",
    "KernelInfo",
    "KernelReport",
    "ListedProcess",
    "ListedProcesses",
    "LiveMessage",
    "LoaderSteps",
    "MetricInfo",
    "MissingReason",
    "NoDevices",
    "NotebookTraining",
    "ParameterInfo",
    "PrecisionMode",
    "PrecisionProfile",
    "ProcessInfo",
    "Processes",
    "Reading",
    "Readings",
    "RecordingInfo",
    "RecordingRequest",
    "Recordings",
    "ResultComparison",
    "ResultSummary",
    "Results",
    "Scalar",
    "Sentences",
    "Series",
    "SetInterval",
    "SocketError",
    "StepBin",
    "Suite",
    "SuiteComparison",
    "SuiteFailure",
    "SuiteInfo",
    "SuiteReport",
    "SuiteRequest",
    "SuiteSide",
    "Suites",
    "Training",
    "TrainingNow",
    "Verdict",
    "Version",
    "encode",
]

API_VERSION: Final = 1

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
    AlertsChanged,
    Processes,
    DoctorReport,
    RecordingRequest,
    RecordingInfo,
    Recordings,
    Results,
    ResultComparison,
    SuiteRequest,
    SuiteInfo,
    Suites,
    SuiteReport,
    Sentences,
    FindingsChanged,
    Training,
    TrainingNow,
    ExplainRequest,
)

_encoder = msgspec.json.Encoder()
encode = _encoder.encode
