"""``GET findings``: why is it slow."""

from __future__ import annotations

from jupyter_gpuperf.routes.base import GpuPerfHandler
from jupyter_gpuperf.routes.operation import operation
from jupyter_gpuperf.schemas import FindingsChanged


class FindingsHandler(GpuPerfHandler):
    """``GET findings``: the diagnosis now."""

    @operation(FindingsChanged)
    async def get(self) -> FindingsChanged:
        """The diagnosis now, the worst first: code, severity, device, summary, cost, evidence, advice, and the change as code."""
        await self.services.latest()
        await self.services.diagnosis.look()
        return self.services.diagnosis.told
