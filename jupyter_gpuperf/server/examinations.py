"""Run the doctor's checks in an environment on request, one environment at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from jupyter_gpuperf.jobs.check_runner import CheckRunner, CheckTarget
from jupyter_gpuperf.schemas import DoctorReport
from jupyter_gpuperf.server.threads import in_file_thread

KEPT_SECONDS: Final = 300.0
"""How long a report is reused. Packages and drivers change rarely; after a fix, the user requests new checks."""


class Examinations:
    """Runs the doctor's checks for all clients, one environment at a time. Reports are reused for a few minutes."""

    def __init__(
        self, check_runner: CheckRunner, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._check_runner, self._clock = check_runner, clock
        self._running: dict[str | None, asyncio.Task[DoctorReport]] = {}
        self._kept: dict[str | None, tuple[float, DoctorReport]] = {}
        self._turn = asyncio.Lock()

    def recent(self, kernel_name: str | None) -> DoctorReport | None:
        """Return a recent report on the environment of a kernel spec, or on the server's own, if there is one."""
        taken_at, report = self._kept.get(kernel_name, (0.0, None))
        return report if self._clock() - taken_at < KEPT_SECONDS else None

    async def examine(self, target: CheckTarget) -> DoctorReport:
        """Run the checks, or wait for those that are running already, and return the report.

        Raises
        ------
        GpuPerfError
            The checks could not be run.
        """
        key = target.kernel_name
        running = self._running.get(key)
        if running is None or running.done():
            running = self._running[key] = asyncio.ensure_future(self._examine(target))
        return await asyncio.shield(running)

    async def _examine(self, target: CheckTarget) -> DoctorReport:
        async with self._turn:  # two environments at once would slow each other down
            report = await in_file_thread(lambda: self._check_runner.run(target))
        self._kept[target.kernel_name] = (self._clock(), report)
        return report
