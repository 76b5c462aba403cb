"""``GET findings``: why is it slow."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_gpuperf.routes.base import LATEST_SECONDS, GpuPerfHandler


class FindingsHandler(GpuPerfHandler):
    """``GET findings``: the diagnosis now."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer :class:`schemas.FindingsChanged`."""
        await self.services.fresh(LATEST_SECONDS)
        await self.services.diagnosis.look()
        self.answer(self.services.diagnosis.told)
