"""The routes ``benchmarks`` and ``jobs``: list benchmarks, and run them."""

from __future__ import annotations

from jupyter_gpuperf.routes.base import GpuPerfHandler
from jupyter_gpuperf.routes.operation import operation
from jupyter_gpuperf.schemas import Benchmarks, JobInfo, JobRequest, Jobs
from jupyter_gpuperf.server.threads import in_thread


class BenchmarksHandler(GpuPerfHandler):
    """``GET benchmarks``: the benchmarks and their parameters."""

    @operation(Benchmarks)
    async def get(self) -> Benchmarks:
        """The benchmarks and their parameters."""
        from jupyter_gpuperf.jobs.catalog import list_benchmarks

        return await in_thread(list_benchmarks)


class JobsHandler(GpuPerfHandler):
    """``GET jobs`` and ``POST jobs``."""

    @operation(Jobs)
    def get(self) -> Jobs:
        """All jobs, latest first, including those that a kernel runs itself; the last 50 ended jobs are kept."""
        return Jobs(jobs=self.services.jobs.list())

    @operation(JobInfo, status=202, takes=JobRequest, action="execute")
    async def post(self, request: JobRequest) -> JobInfo:
        """Queue a benchmark."""
        await self.services.wait_for_readings()  # needed to assign a device
        python = await self.kernel_python(request.kernel_name)
        return self.services.jobs.submit(
            request, interpreter=python.interpreter, environment=python.environment
        )


class JobHandler(GpuPerfHandler):
    """``GET jobs/<id>`` and ``DELETE jobs/<id>``."""

    @operation(JobInfo)
    def get(self, job_id: str) -> JobInfo:
        """The job's state, progress, result or error, the end of its log, and the jobs ahead of it."""
        return self.services.jobs.get(job_id)

    @operation(JobInfo)
    def delete(self, job_id: str) -> JobInfo:
        """Cancel the job; a job that has ended is not changed."""
        return self.services.jobs.cancel(job_id)
