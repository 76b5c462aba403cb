"""What was measured before: ``results``."""

from __future__ import annotations

from typing import Final

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_gpuperf.api.base import GpuPerfHandler, in_thread
from jupyter_gpuperf.schemas import Results

MOST_RESULTS: Final = 1000


class ResultsHandler(GpuPerfHandler):
    """``GET results?benchmark=&limit=``: kept results, newest first."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer :class:`schemas.Results`; by default the newest hundred of all benchmarks."""
        benchmark = self.get_query_argument("benchmark", "") or None
        limit = int(self.number("limit", 100, 1, MOST_RESULTS))
        store = self.services.results
        self.answer(Results(results=await in_thread(lambda: store.newest(benchmark, limit))))


class ResultHandler(GpuPerfHandler):
    """``GET results/<id>``: one kept result."""

    @web.authenticated
    @authorized
    async def get(self, number: str) -> None:
        """Answer :class:`schemas.KeptResult`."""
        self.answer(await in_thread(lambda: self.services.results.get(int(number))))
