"""``doctor``: problems of an environment, and the commands that fix them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import ensure_async
from tornado.web import HTTPError

from jupyter_gpuperf.routes.base import AUTH_RESOURCE, NOT_AUTHORIZED, GpuPerfHandler
from jupyter_gpuperf.routes.operation import Query, operation
from jupyter_gpuperf.schemas import DoctorReport

if TYPE_CHECKING:
    from jupyter_gpuperf.jobs.check_runner import CheckTarget

KERNEL: Final = Query(name="kernel", help="A kernel spec; default: the server's Python.")

DEFAULT_OUTPUT_BYTES_PER_SECOND: Final = 1e6
"""Jupyter Server's default limit on a notebook's output."""


class DoctorHandler(GpuPerfHandler):
    """``GET doctor`` and ``POST doctor``: the checks, in the server's Python or a kernel spec's."""

    @operation(DoctorReport, KERNEL)
    async def get(self, kernel: str | None) -> DoctorReport:
        """The checks, each with id, status, found, expected, why and fix; the environment and its packages.

        The report may be five minutes old. Without one, the checks run, which needs the right to execute.
        """
        if (report := self.services.doctor.recent(kernel or None)) is not None:
            return report
        allowed = self.authorizer.is_authorized(self, self.current_user, "execute", AUTH_RESOURCE)
        if not await ensure_async(allowed):
            raise HTTPError(403, f"User {NOT_AUTHORIZED} to execute")
        return await self._examined(kernel)

    @operation(DoctorReport, KERNEL, action="execute")
    async def post(self, kernel: str | None) -> DoctorReport:
        """Check again; the answer is the new report."""
        return await self._examined(kernel)

    async def _examined(self, kernel: str | None) -> DoctorReport:
        return await self.services.doctor.examine(await self._target(kernel or None))

    async def _target(self, kernel_name: str | None) -> CheckTarget:
        from jupyter_gpuperf.jobs.check_runner import CheckTarget, server_facts

        facts = server_facts(output_limit(self))
        folder = str(self.settings.get("server_root_dir") or ".")
        if kernel_name is None:
            return CheckTarget(folder=folder, server=facts)
        python = await self.kernel_python(kernel_name)
        return CheckTarget(
            interpreter=python.interpreter,
            environment=python.environment,
            kernel_name=kernel_name,
            folder=folder,
            server=facts,
        )


def output_limit(handler: JupyterHandler) -> float:
    """Return the server's limit on a notebook's output, in bytes per second; 0 for no limit."""
    limit = DEFAULT_OUTPUT_BYTES_PER_SECOND
    for name in ("ServerApp", "ZMQChannelsWebsocketConnection"):
        value = (handler.config or {}).get(name, {}).get("iopub_data_rate_limit")
        if isinstance(value, int | float):
            limit = float(value)
    return limit
