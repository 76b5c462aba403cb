"""``GET doctor``: what is the matter with an environment, and what to type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import JupyterHandler
from tornado import web

from jupyter_gpuperf.routes.base import GpuPerfHandler

if TYPE_CHECKING:
    from jupyter_gpuperf.jobs.examining import Patient

OUTPUT_BYTES_PER_SECOND: Final = 1e6
"""What the server has without a setting."""


class DoctorHandler(GpuPerfHandler):
    """``GET doctor?kernel=&refresh=``: the checks, in the server's Python or a kernel spec's."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer :class:`schemas.DoctorReport`; at most five minutes old, or new with ``refresh=1``."""
        kernel_name = self.get_query_argument("kernel", "") or None
        anew = self.get_query_argument("refresh", "") not in ("", "0")
        patient = await self._patient(kernel_name)
        self.answer(await self.services.doctor.report(patient, anew=anew))

    async def _patient(self, kernel_name: str | None) -> Patient:
        from jupyter_gpuperf.jobs.examining import Patient, server_facts

        facts = server_facts(output_limit(self))
        folder = str(self.settings.get("server_root_dir") or ".")
        if kernel_name is None:
            return Patient(folder=folder, server=facts)
        python = await self.kernel_python(kernel_name)
        return Patient(
            interpreter=python.interpreter,
            environment=python.environment,
            kernel_name=kernel_name,
            folder=folder,
            server=facts,
        )


def output_limit(handler: JupyterHandler) -> float:
    """Return what the server lets a notebook print, in bytes a second; 0 for all."""
    limit = OUTPUT_BYTES_PER_SECOND
    for name in ("ServerApp", "ZMQChannelsWebsocketConnection"):
        value = (handler.config or {}).get(name, {}).get("iopub_data_rate_limit")
        if isinstance(value, int | float):
            limit = float(value)
    return limit
