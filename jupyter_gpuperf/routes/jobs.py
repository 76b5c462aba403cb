"""What would I gain: ``benchmarks`` and ``jobs``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_gpuperf.routes.base import GpuPerfHandler
from jupyter_gpuperf.schemas import JobRequest, Jobs
from jupyter_gpuperf.server.threads import in_thread

if TYPE_CHECKING:
    from jupyter_gpuperf.jobs.manager import JobManager
    from jupyter_gpuperf.jobs.told import ToldJobs


class BenchmarksHandler(GpuPerfHandler):
    """``GET benchmarks``: the benchmarks and their parameters."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer :class:`schemas.Benchmarks`."""
        from jupyter_gpuperf.jobs.catalog import all_infos

        self.answer(await in_thread(all_infos))


class JobsHandler(GpuPerfHandler):
    """``GET jobs`` and ``POST jobs``."""

    @web.authenticated
    @authorized
    def get(self) -> None:
        """Answer :class:`schemas.Jobs`, newest first."""
        jobs = [*self.services.jobs.list(), *self.services.told.list()]
        jobs.sort(key=lambda job: job.created_seconds, reverse=True)
        self.answer(Jobs(jobs=jobs))

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Queue a benchmark: takes :class:`schemas.JobRequest`, answers 202 and the job."""
        request = self.body_as(JobRequest)
        await self.services.fresh()  # which devices there are decides where it runs
        python = await self.kernel_python(request.kernel_name)
        job = self.services.jobs.submit(
            request, interpreter=python.interpreter, environment=python.environment
        )
        self.answer(job, status=202)


class JobHandler(GpuPerfHandler):
    """``GET jobs/<id>`` and ``DELETE jobs/<id>``."""

    @web.authenticated
    @authorized
    def get(self, job_id: str) -> None:
        """Answer :class:`schemas.JobInfo`."""
        self.answer(self._keeper(job_id).get(job_id))

    @web.authenticated
    @authorized
    def delete(self, job_id: str) -> None:
        """Cancel, and answer :class:`schemas.JobInfo`; a job that ended stays as it is."""
        self.answer(self._keeper(job_id).cancel(job_id))

    def _keeper(self, job_id: str) -> JobManager | ToldJobs:
        """Return who knows this job: those that kernels run themselves have names of their own."""
        return self.services.told if job_id.startswith("told-") else self.services.jobs
