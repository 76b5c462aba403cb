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

from jupyter_gpuperf.schemas.doctor import CheckFinding as CheckFinding
from jupyter_gpuperf.schemas.doctor import CheckStatus as CheckStatus
from jupyter_gpuperf.schemas.doctor import DoctorChange as DoctorChange
from jupyter_gpuperf.schemas.doctor import DoctorComparison as DoctorComparison
from jupyter_gpuperf.schemas.doctor import DoctorReport as DoctorReport
from jupyter_gpuperf.schemas.errors import ErrorInfo as ErrorInfo
from jupyter_gpuperf.schemas.errors import Sentences as Sentences
from jupyter_gpuperf.schemas.findings import Finding as Finding
from jupyter_gpuperf.schemas.findings import FindingsChanged as FindingsChanged
from jupyter_gpuperf.schemas.jobs import BenchmarkInfo as BenchmarkInfo
from jupyter_gpuperf.schemas.jobs import BenchmarkResult as BenchmarkResult
from jupyter_gpuperf.schemas.jobs import Benchmarks as Benchmarks
from jupyter_gpuperf.schemas.jobs import JobInfo as JobInfo
from jupyter_gpuperf.schemas.jobs import JobRequest as JobRequest
from jupyter_gpuperf.schemas.jobs import Jobs as Jobs
from jupyter_gpuperf.schemas.jobs import JobsChanged as JobsChanged
from jupyter_gpuperf.schemas.jobs import JobState as JobState
from jupyter_gpuperf.schemas.jobs import KeptResult as KeptResult
from jupyter_gpuperf.schemas.jobs import ParameterInfo as ParameterInfo
from jupyter_gpuperf.schemas.jobs import Results as Results
from jupyter_gpuperf.schemas.jobs import ResultSummary as ResultSummary
from jupyter_gpuperf.schemas.jobs import Scalar as Scalar
from jupyter_gpuperf.schemas.live import LiveMessage as LiveMessage
from jupyter_gpuperf.schemas.precision import Interval as Interval
from jupyter_gpuperf.schemas.precision import PrecisionMode as PrecisionMode
from jupyter_gpuperf.schemas.precision import PrecisionProfile as PrecisionProfile
from jupyter_gpuperf.schemas.processes import DeviceProcesses as DeviceProcesses
from jupyter_gpuperf.schemas.processes import KernelInfo as KernelInfo
from jupyter_gpuperf.schemas.processes import KernelReport as KernelReport
from jupyter_gpuperf.schemas.processes import ListedProcess as ListedProcess
from jupyter_gpuperf.schemas.processes import ListedProcesses as ListedProcesses
from jupyter_gpuperf.schemas.processes import Processes as Processes
from jupyter_gpuperf.schemas.processes import ProcessInfo as ProcessInfo
from jupyter_gpuperf.schemas.readings import LONGEST_INTERVAL_MS as LONGEST_INTERVAL_MS
from jupyter_gpuperf.schemas.readings import SHORTEST_INTERVAL_MS as SHORTEST_INTERVAL_MS
from jupyter_gpuperf.schemas.readings import Alert as Alert
from jupyter_gpuperf.schemas.readings import AlertsChanged as AlertsChanged
from jupyter_gpuperf.schemas.readings import Catalog as Catalog
from jupyter_gpuperf.schemas.readings import Columns as Columns
from jupyter_gpuperf.schemas.readings import DeviceInfo as DeviceInfo
from jupyter_gpuperf.schemas.readings import Devices as Devices
from jupyter_gpuperf.schemas.readings import DevicesChanged as DevicesChanged
from jupyter_gpuperf.schemas.readings import DeviceState as DeviceState
from jupyter_gpuperf.schemas.readings import Follow as Follow
from jupyter_gpuperf.schemas.readings import Frame as Frame
from jupyter_gpuperf.schemas.readings import Hello as Hello
from jupyter_gpuperf.schemas.readings import History as History
from jupyter_gpuperf.schemas.readings import MetricInfo as MetricInfo
from jupyter_gpuperf.schemas.readings import MissingReason as MissingReason
from jupyter_gpuperf.schemas.readings import NoDevices as NoDevices
from jupyter_gpuperf.schemas.readings import Reading as Reading
from jupyter_gpuperf.schemas.readings import Readings as Readings
from jupyter_gpuperf.schemas.readings import Series as Series
from jupyter_gpuperf.schemas.readings import SetInterval as SetInterval
from jupyter_gpuperf.schemas.readings import SocketError as SocketError
from jupyter_gpuperf.schemas.readings import Version as Version
from jupyter_gpuperf.schemas.recordings import RecordingInfo as RecordingInfo
from jupyter_gpuperf.schemas.recordings import RecordingRequest as RecordingRequest
from jupyter_gpuperf.schemas.recordings import Recordings as Recordings
from jupyter_gpuperf.schemas.recordings import RecordingsChanged as RecordingsChanged
from jupyter_gpuperf.schemas.suites import SUITE_FORMAT as SUITE_FORMAT
from jupyter_gpuperf.schemas.suites import SUITE_VERSION as SUITE_VERSION
from jupyter_gpuperf.schemas.suites import EnvironmentChange as EnvironmentChange
from jupyter_gpuperf.schemas.suites import FigureChange as FigureChange
from jupyter_gpuperf.schemas.suites import ResultComparison as ResultComparison
from jupyter_gpuperf.schemas.suites import Suite as Suite
from jupyter_gpuperf.schemas.suites import SuiteComparison as SuiteComparison
from jupyter_gpuperf.schemas.suites import SuiteFailure as SuiteFailure
from jupyter_gpuperf.schemas.suites import SuiteInfo as SuiteInfo
from jupyter_gpuperf.schemas.suites import SuiteReport as SuiteReport
from jupyter_gpuperf.schemas.suites import SuiteRequest as SuiteRequest
from jupyter_gpuperf.schemas.suites import Suites as Suites
from jupyter_gpuperf.schemas.suites import SuitesChanged as SuitesChanged
from jupyter_gpuperf.schemas.suites import SuiteSide as SuiteSide
from jupyter_gpuperf.schemas.suites import Verdict as Verdict
from jupyter_gpuperf.schemas.training import CellMark as CellMark
from jupyter_gpuperf.schemas.training import ExplainRequest as ExplainRequest
from jupyter_gpuperf.schemas.training import LoaderSteps as LoaderSteps
from jupyter_gpuperf.schemas.training import NotebookTraining as NotebookTraining
from jupyter_gpuperf.schemas.training import StepBin as StepBin
from jupyter_gpuperf.schemas.training import Training as Training
from jupyter_gpuperf.schemas.training import TrainingNow as TrainingNow

API_VERSION: Final = 1

_encoder = msgspec.json.Encoder()
encode = _encoder.encode
