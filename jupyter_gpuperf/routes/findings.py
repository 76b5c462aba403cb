"""``GET findings``: the current diagnosis."""

from __future__ import annotations

from jupyter_gpuperf.routes.base import GpuPerfHandler
from jupyter_gpuperf.routes.operation import operation
from jupyter_gpuperf.schemas import FindingsChanged


class FindingsHandler(GpuPerfHandler):
    """``GET findings``: the current diagnosis."""

    @operation(FindingsChanged)
    async def get(self) -> FindingsChanged:
        """The current findings, worst first: code, severity, device, summary, cost, evidence, advice, change (code)."""
        await self.services.latest()
        await self.services.diagnosis.check()
        return self.services.diagnosis.current
