"""``results``: earlier measurements."""

from __future__ import annotations

from typing import Final

from jupyter_gpuperf.routes.base import GpuPerfHandler
from jupyter_gpuperf.routes.operation import Query, number, operation
from jupyter_gpuperf.schemas import KeptResult, ResultComparison, Results, ResultSummary
from jupyter_gpuperf.server.threads import in_file_thread

MOST_RESULTS: Final = 1000
MOST_NUMBER: Final = 10**15


class ResultsHandler(GpuPerfHandler):
    """``GET results``: stored results, latest first."""

    @operation(
        Results,
        Query(name="benchmark", help="A benchmark; default: all."),
        number("limit", 1, MOST_RESULTS, "Maximum number.", default=100),
    )
    async def get(self, benchmark: str | None, limit: int) -> Results:
        """Stored results, latest first."""
        store = self.services.results
        return Results(results=await in_file_thread(lambda: store.latest(benchmark or None, limit)))


class ResultHandler(GpuPerfHandler):
    """``GET results/<id>``: one stored result."""

    @operation(KeptResult)
    async def get(self, number: str) -> KeptResult:
        """One stored result."""
        return await in_file_thread(lambda: self.services.results.get(int(number)))


class ComparisonHandler(GpuPerfHandler):
    """``GET results/<id>/comparison``: the comparison of a stored result."""

    @operation(
        ResultComparison,
        number("with", 1, MOST_NUMBER, "Default: baseline, or a similar result.", argument="other"),
    )
    async def get(self, number: str, other: int | None) -> ResultComparison:
        """Verdict, ratio and interval per figure; environment differences; the best result here; similar results."""
        from jupyter_gpuperf.results.baseline_comparison import compare_with_baseline

        store = self.services.results
        return await in_file_thread(lambda: compare_with_baseline(store, int(number), other))


class BaselineHandler(GpuPerfHandler):
    """``PUT results/<id>/baseline``: make this result the baseline for later ones like it."""

    @operation(ResultSummary)
    async def put(self, number: str) -> ResultSummary:
        """Make this result the baseline for later results like it."""
        from jupyter_gpuperf.results.baseline_comparison import summary_of

        store = self.services.results
        return await in_file_thread(lambda: summary_of(store.mark_baseline(int(number))))
