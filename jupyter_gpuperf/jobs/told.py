"""Jobs that a kernel runs itself and tells its server of, so that the panel shows them: the tuner's.

The kernel sends :class:`Told` at each change; hanging up ends what had not ended. The server answers with
:class:`jobs.client.Cancel` when the panel wants it to stop.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct

from jupyter_gpuperf.errors import NotFound
from jupyter_gpuperf.schemas import JobInfo

KEPT_JOBS: Final = 20


class Told(Struct, frozen=True, kw_only=True, tag="told", forbid_unknown_fields=True):
    """A kernel's own job as it is now; one per connection."""

    job: JobInfo


class ToldJobs:
    """Keeps what kernels told, the newest last; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: dict[str, JobInfo] = {}
        self._cancels: dict[str, Callable[[], object]] = {}
        self._count = 0

    def place(self, cancel: Callable[[], object]) -> ToldJob:
        """Return the place of a new connection; ``cancel`` asks its kernel to stop."""
        with self._lock:
            self._count += 1
            # A name of the server's own: no kernel can speak of another job.
            return ToldJob(self, f"told-{self._count}", cancel)

    def list(self) -> list[JobInfo]:
        """Return all that are remembered."""
        with self._lock:
            return list(self._jobs.values())

    def get(self, job_id: str) -> JobInfo:
        """Return one.

        Raises
        ------
        NotFound
            ``unknown_job``.
        """
        with self._lock:
            if job_id not in self._jobs:
                raise NotFound(
                    "unknown_job",
                    f"There is no job {job_id!r}.",
                    f"GET jobs lists them; the last {KEPT_JOBS} that ended are kept.",
                )
            return self._jobs[job_id]

    def cancel(self, job_id: str) -> JobInfo:
        """Ask a job's kernel to stop it; one that ended stays as it is.

        Raises
        ------
        NotFound
            ``unknown_job``.
        """
        job = self.get(job_id)
        with self._lock:
            cancel = self._cancels.get(job_id)
        if cancel is not None:
            cancel()
        return job

    def keep(self, job: JobInfo, cancel: Callable[[], object] | None) -> None:
        """Keep a job's newest state; without ``cancel`` it has ended."""
        with self._lock:
            self._jobs[job.id] = job
            if cancel is None:
                self._cancels.pop(job.id, None)
            else:
                self._cancels[job.id] = cancel
            while len(self._jobs) > KEPT_JOBS:
                oldest = next(iter(self._jobs))
                del self._jobs[oldest]
                self._cancels.pop(oldest, None)


class ToldJob:
    """What one connection told."""

    def __init__(self, jobs: ToldJobs, job_id: str, cancel: Callable[[], object]) -> None:
        self._jobs, self._id, self._cancel = jobs, job_id, cancel
        self._job: JobInfo | None = None

    def keep(self, told: Told) -> None:
        """Replace what it told before."""
        self._job = msgspec.structs.replace(told.job, id=self._id)
        runs = self._job.state in ("queued", "running")
        self._jobs.keep(self._job, self._cancel if runs else None)

    def close(self) -> None:
        """The kernel hung up: what had not ended has ended now."""
        job = self._job
        if job is not None and job.state in ("queued", "running"):
            ended = msgspec.structs.replace(job, state="cancelled", ended_seconds=time.time())
            self._jobs.keep(ended, None)
