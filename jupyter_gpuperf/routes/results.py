"""What was measured before: ``results``."""

from __future__ import annotations

from typing import Final

from jupyter_gpuperf.routes.base import GpuPerfHandler
from jupyter_gpuperf.routes.operation import Query, number, operation
from jupyter_gpuperf.schemas import KeptResult, ResultComparison, Results, ResultSummary
from jupyter_gpuperf.server.threads import in_thread

MOST_RESULTS: Final = 1000
MOST_NUMBER: Final = 10**15


class ResultsHandler(GpuPerfHandler):
    """``GET results``: kept results, newest first."""

    @operation(
        Results,
        Query(name="benchmark", help="A benchmark; without it all."),
        number("limit", 1, MOST_RESULTS, "How many at most.", default=100),
    )
    async def get(self, benchmark: str | None, limit: int) -> Results:
        """Kept results, newest first."""
        store = self.services.results
        return Results(results=await in_thread(lambda: store.newest(benchmark or None, limit)))


class ResultHandler(GpuPerfHandler):
    """``GET results/<id>``: one kept result."""

    @operation(KeptResult)
    async def get(self, number: str) -> KeptResult:
        """One kept result."""
        return await in_thread(lambda: self.services.results.get(int(number)))


class ComparisonHandler(GpuPerfHandler):
    """``GET results/<id>/comparison``: what a kept result is held against."""

    @operation(
        ResultComparison,
        number(
            "with",
            1,
            MOST_NUMBER,
            "Another result; without it the baseline, else the one before like it.",
            argument="other",
        ),
    )
    async def get(self, number: str, other: int | None) -> ResultComparison:
        """What it is held against: verdict, ratio and interval per figure; what differs in the environment; the best here; those like it."""
        from jupyter_gpuperf.results.baseline_comparison import compare_with_baseline

        store = self.services.results
        return await in_thread(lambda: compare_with_baseline(store, int(number), other))


class BaselineHandler(GpuPerfHandler):
    """``PUT results/<id>/baseline``: later results like it are held against this one."""

    @operation(ResultSummary)
    async def put(self, number: str) -> ResultSummary:
        """Hold later results like it against this one."""
        from jupyter_gpuperf.results.baseline_comparison import summary_of

        store = self.services.results
        return await in_thread(lambda: summary_of(store.mark_baseline(int(number))))
