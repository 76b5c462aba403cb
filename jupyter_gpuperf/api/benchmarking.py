"""What would I gain: ``benchmarks`` and ``jobs``."""

from __future__ import annotations

import sys
from typing import Any

from jupyter_client.kernelspec import NoSuchKernel
from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import ensure_async
from tornado import web

from jupyter_gpuperf.api.base import GpuPerfHandler, in_thread
from jupyter_gpuperf.errors import NotFound
from jupyter_gpuperf.jobs.catalog import all_infos
from jupyter_gpuperf.jobs.interpreter import interpreter_of
from jupyter_gpuperf.schemas import JobRequest, Jobs


class BenchmarksHandler(GpuPerfHandler):
    """``GET benchmarks``: the benchmarks and their parameters."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer :class:`schemas.Benchmarks`."""
        self.answer(await in_thread(all_infos))


class JobsHandler(GpuPerfHandler):
    """``GET jobs`` and ``POST jobs``."""

    @web.authenticated
    @authorized
    def get(self) -> None:
        """Answer :class:`schemas.Jobs`, newest first."""
        self.answer(Jobs(jobs=self.services.jobs.list()))

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Queue a benchmark: takes :class:`schemas.JobRequest`, answers 202 and the job."""
        request = self.body_as(JobRequest)
        await self.services.fresh()  # which devices there are decides where it runs
        interpreter, environment = await interpreter_named(self, request.kernel_name)
        job = self.services.jobs.submit(request, interpreter=interpreter, environment=environment)
        self.answer(job, status=202)


class JobHandler(GpuPerfHandler):
    """``GET jobs/<id>`` and ``DELETE jobs/<id>``."""

    @web.authenticated
    @authorized
    def get(self, job_id: str) -> None:
        """Answer :class:`schemas.JobInfo`."""
        self.answer(self.services.jobs.get(job_id))

    @web.authenticated
    @authorized
    def delete(self, job_id: str) -> None:
        """Cancel, and answer :class:`schemas.JobInfo`; a job that ended stays as it is."""
        self.answer(self.services.jobs.cancel(job_id))


async def interpreter_named(
    handler: JupyterHandler, kernel_name: str | None
) -> tuple[str, dict[str, str]]:
    """Return the interpreter of a kernel spec; that of the default kernel for ``None``.

    Raises
    ------
    NotFound
        ``unknown_kernel``.
    """
    name = kernel_name or handler.kernel_manager.default_kernel_name
    try:
        spec: Any = await ensure_async(handler.kernel_spec_manager.get_kernel_spec(name))
    except NoSuchKernel as error:
        if kernel_name is None:  # a server without kernels still has its own Python
            return sys.executable, {}
        raise NotFound(
            "unknown_kernel",
            f"There is no kernel spec {name!r}.",
            "jupyter kernelspec list shows those of this server.",
        ) from error
    return interpreter_of(spec)
