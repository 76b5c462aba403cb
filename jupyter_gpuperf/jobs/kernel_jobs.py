"""Jobs of kernels: those that they request from the server, and those that they run themselves and report."""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.jobs.job import ENDED, Job
from jupyter_gpuperf.jobs.manager import JobManager
from jupyter_gpuperf.kernel_link.router import KernelSession
from jupyter_gpuperf.kernel_link.server_run import worker_environment
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.schemas import ErrorInfo, JobInfo, JobRequest
from jupyter_gpuperf.schemas.kernel_link import Cancel, JobReport, JobUpdate, RunRequest

TIMES: Final = ("created_seconds", "started_seconds", "ended_seconds")


class KernelJobs:
    """Handles kernels' messages about jobs. When a kernel disconnects, its jobs end.

    Parameters
    ----------
    ready
        Awaited before each requested job is queued: returns once the devices are known.
    """

    def __init__(
        self, manager: JobManager, ready: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self._manager, self._ready = manager, ready
        self._requested: dict[KernelSession, str] = {}
        self._unsubscribe: dict[KernelSession, Callable[[], None]] = {}
        self._reported: dict[KernelSession, Job] = {}

    async def run(self, session: KernelSession, request: RunRequest) -> None:
        """Queue a benchmark, and send its state to the kernel on each change."""
        if session in self._requested:
            message, hint = "This kernel's job is still running.", "Wait for it, or cancel it."
            raise BadRequest("job_running", message, hint)
        if self._ready is not None:
            await self._ready()
        job = self._manager.submit(
            JobRequest(
                benchmark=request.benchmark, parameters=request.parameters, device=request.device
            ),
            interpreter=request.interpreter or sys.executable,
            environment=worker_environment(request.environment),
        )

        def changed(now: JobInfo) -> None:
            if now.state in ENDED:  # before sending: the next request may follow at once
                self._requested.pop(session, None)
            session.send(JobUpdate(**msgspec.structs.asdict(now)))

        if session not in self._unsubscribe:  # once, however many jobs a kernel requests
            session.on_close(lambda: self._leave(session))
        self._requested[session] = job.id
        self._unsubscribe[session] = self._manager.subscribe(job.id, changed)

    def cancel(self, session: KernelSession, message: Cancel | None = None) -> None:
        """Cancel the job that this kernel requested."""
        if (job_id := self._requested.get(session)) is not None:
            self._manager.cancel(job_id)

    def _leave(self, session: KernelSession) -> None:
        self.cancel(session)
        self._unsubscribe.pop(session)()

    def report(self, session: KernelSession, report: JobReport) -> None:
        """Store the state of a job that the kernel runs itself; once it has ended, it does not change."""
        known = _plausible(report.job)
        if (job := self._reported.get(session)) is not None:
            if not job.has_ended:
                self._manager.report(job, known)
            return
        # The server chooses the id, so that no kernel can report on another job.
        known = msgspec.structs.replace(known, id=uuid.uuid4().hex[:12])
        job = self._reported[session] = Job(record=known, stop=lambda: session.send(Cancel()))
        self._manager.add(job)
        session.on_close(lambda: self._end_reported(session))

    def _end_reported(self, session: KernelSession) -> None:
        job = self._reported.pop(session)
        if not job.has_ended:
            message = Message("The kernel ended or disconnected before the job was done.")
            error = ErrorInfo(code="kernel_gone", message=message, hint="")
            ended = {"state": "failed", "ended_seconds": time.time(), "error": error}
            self._manager.report(job, msgspec.structs.replace(job.record, **ended))


def _plausible(job: JobInfo) -> JobInfo:
    """Return a job without what only the server decides, and without times in the future: lists are sorted by time."""
    times = {name: getattr(job, name) for name in TIMES}
    past = {name: None if each is None else min(each, time.time()) for name, each in times.items()}
    return msgspec.structs.replace(job, suite=None, waits_for=[], **past)
