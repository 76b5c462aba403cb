"""``GET training``: the loops of watched notebooks; ``POST training/explain``: profile one of them."""

from __future__ import annotations

from typing import Final

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.routes.base import GpuPerfHandler
from jupyter_gpuperf.routes.operation import number, operation
from jupyter_gpuperf.routes.processes import running_kernels
from jupyter_gpuperf.schemas import ExplainRequest, Training
from jupyter_gpuperf.server.threads import in_thread

LONGEST_SECONDS: Final = 86_400.0
MOST_STEPS: Final = 50


class TrainingHandler(GpuPerfHandler):
    """``GET training``: current state and history."""

    @operation(
        Training,
        number("seconds", 1.0, LONGEST_SECONDS, "How far back.", default=120.0),
        number("step_seconds", 0.5, 3600.0, "Time per point; default: 1 s, more for long spans."),
    )
    async def get(self, seconds: float, step_seconds: float | None) -> Training:
        """The watched loops now; per notebook, samples per second, step time and ratios over time."""
        store = self.services.training
        step = step_seconds or max(1.0, seconds / 5000)
        for kernel in await running_kernels(self):
            store.set_path(kernel.info.kernel_id, kernel.info.notebook_path)
        return await in_thread(lambda: store.training(seconds=seconds, step_seconds=step))


class ExplainHandler(GpuPerfHandler):
    """``POST training/explain``: have a notebook profile its next steps."""

    @operation(ExplainRequest, status=202, takes=ExplainRequest, action="execute")
    def post(self, request: ExplainRequest) -> ExplainRequest:
        """Have a notebook's kernel profile its next steps; the result appears below the running cell."""
        if not 1 <= request.steps <= MOST_STEPS:
            raise BadRequest(
                "parameter_out_of_range",
                "steps = {steps} is out of range.",
                "Enter a number from 1 to {maximum}.",
                steps=request.steps,
                maximum=MOST_STEPS,
            )
        self.services.training.explain(request.key, request.steps)
        return request
