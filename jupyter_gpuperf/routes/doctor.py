"""``GET doctor``: problems of an environment, and the commands that fix them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jupyter_server.base.handlers import JupyterHandler

from jupyter_gpuperf.routes.base import GpuPerfHandler
from jupyter_gpuperf.routes.operation import Query, flag, operation
from jupyter_gpuperf.schemas import DoctorReport

if TYPE_CHECKING:
    from jupyter_gpuperf.jobs.check_runner import CheckTarget

DEFAULT_OUTPUT_BYTES_PER_SECOND: Final = 1e6
"""Jupyter Server's default limit on a notebook's output."""


class DoctorHandler(GpuPerfHandler):
    """``GET doctor``: the checks, in the server's Python or a kernel spec's."""

    @operation(
        DoctorReport,
        Query(name="kernel", help="A kernel spec; default: the server's Python."),
        flag("refresh", "Check again; otherwise the report may be five minutes old."),
    )
    async def get(self, kernel: str | None, refresh: bool) -> DoctorReport:
        """The checks, each with id, status, found, expected, why and fix; the environment and its packages."""
        return await self.services.doctor.report(await self._target(kernel or None), anew=refresh)

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
