"""``GET training``: what the watched notebooks' loops do; ``POST training/explain``: look closer."""

from __future__ import annotations

from typing import Final

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.routes.base import GpuPerfHandler
from jupyter_gpuperf.routes.processes import running_kernels
from jupyter_gpuperf.schemas import ExplainRequest
from jupyter_gpuperf.server.threads import in_thread

LONGEST_SECONDS: Final = 86_400.0
MOST_STEPS: Final = 50


class TrainingHandler(GpuPerfHandler):
    """``GET training?seconds=&step_seconds=``: now, and the past."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer :class:`schemas.Training`; by default the last two minutes in steps of a second."""
        store = self.services.training
        seconds = self.number("seconds", 120.0, 1.0, LONGEST_SECONDS)
        step_seconds = self.number("step_seconds", max(1.0, seconds / 5000), 0.5, 3600.0)
        for kernel in await running_kernels(self):
            store.name(kernel.info.kernel_id, kernel.info.notebook_path)
        self.answer(
            await in_thread(lambda: store.training(seconds=seconds, step_seconds=step_seconds))
        )


class ExplainHandler(GpuPerfHandler):
    """``POST training/explain``: have a notebook profile its next steps."""

    @web.authenticated
    @authorized
    def post(self) -> None:
        """Ask the kernel, and answer at once with the request; the result shows below its running cell."""
        request = self.body_as(ExplainRequest)
        if not 1 <= request.steps <= MOST_STEPS:
            raise BadRequest(
                "parameter_out_of_range",
                f"steps = {request.steps} is out of range.",
                f"Give from 1 to {MOST_STEPS}.",
            )
        self.services.training.explain(request.key, request.steps)
        self.answer(request, status=202)
