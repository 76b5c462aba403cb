"""All jobs that the server knows, its own and those of kernels: queued, running, and recently ended."""

from __future__ import annotations

import contextlib
import itertools
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from jupyter_gpuperf.errors import NotFound
from jupyter_gpuperf.jobs.job import Job, Listener, WorkerJob
from jupyter_gpuperf.schemas import JobInfo, JobsChanged

logger = logging.getLogger(__name__)

SHORTEST_NOTIFY_SECONDS: Final = 0.05
"""Minimum time between two updates of a job."""
KEPT_JOBS: Final = 50
"""Number of ended jobs that are kept; those of suites are counted separately."""


class JobRegistry:
    """The jobs by id. Thread-safe; every method returns at once."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.on_change: Callable[[], object] = lambda: None
        """Called whenever a job has changed, from any thread."""
        self._clock = clock
        # Listeners are called under the lock, so that they receive changes in order.
        self._lock = threading.RLock()
        self._jobs: dict[str, Job] = {}
        self._version = 0

    def get(self, job_id: str) -> JobInfo:
        """Return a job; raise ``NotFound`` (``unknown_job``) if there is none with this id."""
        with self._lock:
            return self._info(self._find(job_id))

    def list(self) -> list[JobInfo]:
        """Return all remembered jobs, latest first."""
        with self._lock:
            infos = [self._info(job) for job in reversed(self._jobs.values())]
        return sorted(infos, key=lambda job: job.created_seconds, reverse=True)

    def refresh(self) -> None:
        """Do nothing: the jobs are always up to date. Live lists require this method."""

    def changes(self, since: int) -> tuple[int, JobsChanged] | None:
        """Return the current version, and the changes since version ``since``; ``None`` if there are none.

        Queued and running jobs are always included: their remaining time changes without an update.
        """
        with self._lock:
            infos = self.list()
            new = {
                job.id for job in self._jobs.values() if job.version > since or not job.has_ended
            }
            if not new and since == self._version:
                return None
            changed = [info for info in infos if info.id in new]
            return self._version, JobsChanged(jobs=changed, ids=[info.id for info in infos])

    @property
    def active(self) -> bool:
        """Whether any job is queued or running."""
        with self._lock:
            return not all(job.has_ended for job in self._jobs.values())

    def add(self, job: Job) -> None:
        """Add a job, drop old jobs that have ended, and notify all listeners."""
        with self._lock:
            self._jobs[job.id] = job
            self._forget_old()
            self.notify(job)

    def cancel(self, job_id: str) -> JobInfo:
        """End a job; one that has already ended is not changed."""
        with self._lock:
            job = self._find(job_id)
            if not job.has_ended:
                job.stop()
            return self._info(job)

    def subscribe(self, job_id: str, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` with the job's state now and after each change; return a function that stops this.

        The listener may be called from any thread, and must neither block nor call this registry.
        """
        with self._lock:
            job = self._find(job_id)
            job.listeners.append(listener)
            listener(self._info(job))

        def unsubscribe() -> None:
            with self._lock, contextlib.suppress(ValueError):
                job.listeners.remove(listener)

        return unsubscribe

    def report(self, job: Job, known: JobInfo) -> None:
        """Store the reported state of a job that a kernel runs; the job keeps its id."""
        with self._lock:
            job.record = msgspec.structs.replace(known, id=job.id)
            self.notify(job)

    def notify(self, job: Job) -> None:
        """Notify all listeners of a job's change."""
        with self._lock:
            self._version += 1
            job.version, job.reported_at = self._version, self._clock()
            info = job.info(job.reported_at)
            for listener in tuple(job.listeners):
                try:
                    listener(info)
                except Exception:  # a defect in a listener must not end the job
                    logger.exception("A listener of job %s failed.", job.id)
            if job.has_ended:
                self._forget_old()
            self.on_change()

    def notify_soon(self, job: Job) -> None:
        """Notify all listeners, at most once per :data:`SHORTEST_NOTIFY_SECONDS`; changes in between are combined.

        The last change of a burst is reported, too: the next one may be minutes away.
        """
        with self._lock:
            # Never wait longer than SHORTEST_NOTIFY_SECONDS, even if the clock was set back.
            wait_seconds = min(job.reported_at - self._clock(), 0.0) + SHORTEST_NOTIFY_SECONDS
            if wait_seconds <= 0:
                self.notify(job)
            elif job.delayed_notification is None:
                job.delayed_notification = threading.Timer(wait_seconds, self._on_timer, (job,))
                job.delayed_notification.daemon = True
                job.delayed_notification.start()

    def _on_timer(self, job: Job) -> None:
        with self._lock:
            job.delayed_notification = None
            if not job.has_ended:  # listeners have already received the final state
                self.notify(job)

    def _info(self, job: Job) -> JobInfo:
        return job.info(self._clock(), self._ids_ahead(job))

    def _find(self, job_id: str) -> Job:
        if job_id not in self._jobs:
            message = "There is no job {job!r}."
            hint = "GET jobs lists all jobs, including the last {count} that ended."
            raise NotFound("unknown_job", message, hint, job=job_id, count=KEPT_JOBS)
        return self._jobs[job_id]

    def _ids_ahead(self, job: Job) -> Sequence[str]:
        """Return the ids of the jobs ahead of a queued one, the next one first."""
        if not isinstance(job, WorkerJob) or job.record.state != "queued":
            return []
        earlier = itertools.takewhile(lambda each: each is not job, self._jobs.values())
        waiting = (each for each in earlier if isinstance(each, WorkerJob) and not each.has_ended)
        return [each.id for each in waiting if each.assignment.key == job.assignment.key]

    def _forget_old(self) -> None:
        # Suites are counted separately: their many jobs must not displace single ones.
        ended = [job for job in self._jobs.values() if job.has_ended]
        for of_suites in (False, True):
            alike = [job.id for job in ended if (job.record.suite is not None) == of_suites]
            for job_id in alike[:-KEPT_JOBS]:
                del self._jobs[job_id]
