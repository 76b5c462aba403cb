"""``suites``: many benchmarks in one environment, or alternating between two."""

from __future__ import annotations

from typing import Final

from jupyter_gpuperf.errors import NotFound
from jupyter_gpuperf.routes.base import GpuPerfHandler
from jupyter_gpuperf.routes.operation import operation
from jupyter_gpuperf.schemas import SuiteInfo, SuiteReport, SuiteRequest, Suites
from jupyter_gpuperf.server.threads import in_file_thread

PAGE_SECURITY_POLICY: Final = "sandbox; default-src 'none'; style-src 'unsafe-inline'"
"""The page needs no resources, and may load none."""


class SuitesHandler(GpuPerfHandler):
    """``GET suites`` and ``POST suites``."""

    @operation(Suites)
    async def get(self) -> Suites:
        """All suites, latest first, including those of earlier servers."""
        return Suites(suites=await in_file_thread(self.services.suites.all))

    @operation(SuiteInfo, status=202, takes=SuiteRequest, action="execute")
    async def post(self, request: SuiteRequest) -> SuiteInfo:
        """Queue a suite."""
        from jupyter_gpuperf.suites.running import Side

        await self.services.wait_for_readings()  # needed to assign devices
        names: list[str | None] = [*request.kernel_names] or [None]
        pythons = [(await self.kernel_python(name))._asdict() for name in names]
        sides = [Side(kernel_name=name, **each) for name, each in zip(names, pythons, strict=True)]
        suites = self.services.suites
        return await in_file_thread(lambda: suites.start(request, sides))


class SuiteHandler(GpuPerfHandler):
    """``GET suites/<id>`` and ``DELETE suites/<id>``."""

    @operation(SuiteReport)
    async def get(self, suite_id: str) -> SuiteReport:
        """The suite's state, and its results so far: the comparison of two kernels, or the results of one."""
        from jupyter_gpuperf.suites.report import build_suite_report

        suites = self.services.suites
        return await in_file_thread(
            lambda: build_suite_report(suites.get(suite_id), suites.results_of(suite_id))
        )

    @operation(SuiteInfo)
    async def delete(self, suite_id: str) -> SuiteInfo:
        """Cancel the suite and its running job; a suite that has ended is not changed."""
        return await in_file_thread(lambda: self.services.suites.cancel(suite_id))


class SuitePageHandler(GpuPerfHandler):
    """``GET suites/<id>/page``: the results as a self-contained page."""

    @operation("text/html")
    async def get(self, suite_id: str) -> None:
        """The results as a self-contained HTML page; 404 nothing_measured while there are none."""
        page = await in_file_thread(lambda: self._page(suite_id))
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Content-Disposition", f'attachment; filename="gpuperf-{suite_id}.html"')
        self.set_header("Content-Security-Policy", PAGE_SECURITY_POLICY)
        self.finish(page)

    def _page(self, suite_id: str) -> str:
        from jupyter_gpuperf.display.suite_view import suite_page  # this imports the benchmarks

        info = self.services.suites.get(suite_id)
        suites = self.services.suites.results_of(suite_id)
        if not all(each.results for each in suites):
            raise NotFound("nothing_measured", "This suite has no results.", "Run it again.")
        return suite_page(info, suites)
