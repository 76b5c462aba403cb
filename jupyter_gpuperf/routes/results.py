"""What was measured before: ``results``."""

from __future__ import annotations

from typing import Final

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_gpuperf.routes.base import GpuPerfHandler, number_of
from jupyter_gpuperf.schemas import Results
from jupyter_gpuperf.server.threads import in_thread

MOST_RESULTS: Final = 1000
MOST_NUMBER: Final = 10**15


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


class ComparisonHandler(GpuPerfHandler):
    """``GET results/<id>/comparison?with=``: what a kept result is held against."""

    @web.authenticated
    @authorized
    async def get(self, number: str) -> None:
        """Answer :class:`schemas.ResultComparison`; by default with the baseline, else the one before."""
        from jupyter_gpuperf.results.baseline_comparison import standing_of

        given = self.get_query_argument("with", None)
        other = None if given is None else int(number_of("with", given, 1, 1, MOST_NUMBER))
        store = self.services.results
        self.answer(await in_thread(lambda: standing_of(store, int(number), other)))


class BaselineHandler(GpuPerfHandler):
    """``PUT results/<id>/baseline``: later results like it are held against this one."""

    @web.authenticated
    @authorized
    async def put(self, number: str) -> None:
        """Mark it, in place of another one; answer :class:`schemas.ResultSummary`."""
        from jupyter_gpuperf.results.baseline_comparison import summary_of

        store = self.services.results
        self.answer(await in_thread(lambda: summary_of(store.mark_baseline(int(number)))))
