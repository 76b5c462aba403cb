"""The jobs that are remembered: all that wait or run, and the last that ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from jupyter_gpuperf.errors import NotFound
from jupyter_gpuperf.jobs.job import Job

KEPT_JOBS: Final = 50  # ended ones that are remembered


class JobList:
    """Jobs by id, in the order in which they came. Used under the manager's lock."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}

    def __iter__(self) -> Iterator[Job]:
        """Go through a copy: ending one may forget another."""
        return iter(tuple(self._jobs.values()))

    def add(self, job: Job) -> None:
        """Remember a job."""
        self._jobs[job.id] = job
        self.forget_old()

    def find(self, job_id: str) -> Job:
        """Return a job.

        Raises
        ------
        NotFound
            ``unknown_job``.
        """
        if job_id not in self._jobs:
            raise NotFound(
                "unknown_job",
                f"There is no job {job_id!r}.",
                f"GET jobs lists them; the last {KEPT_JOBS} that ended are kept.",
            )
        return self._jobs[job_id]

    def before(self, job: Job) -> list[str]:
        """Return the ids of the jobs that a waiting one waits for, the next one first."""
        if job.state != "queued" or job.id not in self._jobs:
            return []
        lane = [each for each in self if each.place.key == job.place.key]
        return [each.id for each in lane[: lane.index(job)] if not each.has_ended]

    def forget_old(self) -> None:
        """Forget the oldest that ended. A suite's many must not push out what was asked for by hand."""
        for of_suites in (False, True):
            ended = [
                job.id for job in self if job.has_ended and (job.suite is not None) == of_suites
            ]
            for job_id in ended[: max(0, len(ended) - KEPT_JOBS)]:
                del self._jobs[job_id]
