"""The state of a job. Only the registry and the manager change it, while holding their lock."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from jupyter_gpuperf.jobs.device_assignment import DeviceAssignment
from jupyter_gpuperf.jobs.log_tail import LogTail
from jupyter_gpuperf.jobs.process import WorkerOrder, WorkerProcess
from jupyter_gpuperf.jobs.remaining_time import RemainingTime
from jupyter_gpuperf.schemas import JobInfo, Scalar

Listener = Callable[[JobInfo], None]
ENDED = ("done", "failed", "cancelled")
NOT_YET_KNOWN = ("kernel_name", "device", "started_seconds", "ended_seconds", "result", "error")


def new_record(
    benchmark: str, parameters: Mapping[str, Scalar], *, created_seconds: float, **known: Any
) -> JobInfo:
    """Return the record of a newly requested job, with a new id; ``known`` sets further fields."""
    fresh: dict[str, Any] = dict.fromkeys(NOT_YET_KNOWN)
    fresh |= {"id": uuid.uuid4().hex[:12], "benchmark": benchmark, "parameters": dict(parameters)}
    fresh |= {"state": "queued", "progress_ratio": 0.0, "progress_message": "", "log_tail": ""}
    return JobInfo(**{**fresh, "created_seconds": created_seconds, **known})


@dataclass(kw_only=True, slots=True, eq=False)
class Job:
    """A job, run by this server or by a kernel.

    Parameters
    ----------
    record
        The job's last known state.
    stop
        Asks the worker or the kernel to end the job.
    version
        Sequence number of the job's last change, counted over all jobs.
    """

    record: JobInfo
    stop: Callable[[], object]
    listeners: list[Listener] = field(default_factory=list)
    version: int = 0
    reported_at: float = 0.0
    delayed_notification: threading.Timer | None = None

    @property
    def id(self) -> str:
        """The job's id."""
        return self.record.id

    @property
    def has_ended(self) -> bool:
        """Whether the job has reached a final state."""
        return self.record.state in ENDED

    def change(self, **changes: Any) -> None:
        """Change fields of the record."""
        self.record = msgspec.structs.replace(self.record, **changes)

    def info(self, now_seconds: float, waits_for: Sequence[str] = ()) -> JobInfo:
        """Return the job as clients see it."""
        return self.record


@dataclass(kw_only=True, slots=True, eq=False)
class WorkerJob(Job):
    """A benchmark that runs in a worker process of this server."""

    assignment: DeviceAssignment
    order: WorkerOrder
    tail: LogTail = field(default_factory=LogTail)
    cancel_event: threading.Event = field(default_factory=threading.Event)
    process: WorkerProcess | None = None
    remaining: RemainingTime = field(default_factory=RemainingTime)

    def info(self, now_seconds: float, waits_for: Sequence[str] = ()) -> JobInfo:
        """Return the job as clients see it, with remaining time, the ids of the jobs ahead, and the log's end."""
        runs = self.record.state == "running"
        return msgspec.structs.replace(
            self.record,
            remaining_seconds=self.remaining.seconds(now_seconds) if runs else None,
            waits_for=list(waits_for),
            log_tail=self.tail.text(),
        )
