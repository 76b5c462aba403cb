"""Examinations of environments, one at a time, for all who ask."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from jupyter_gpuperf.jobs.examining import Examiner, Patient
from jupyter_gpuperf.schemas import DoctorReport
from jupyter_gpuperf.server.threads import in_thread

KEPT_SECONDS: Final = 300.0
"""Packages and drivers change rarely; who has mended something asks anew."""


class Examinations:
    """Examines for all who ask: one environment at a time, and none twice within a few minutes."""

    def __init__(self, examiner: Examiner, clock: Callable[[], float] = time.monotonic) -> None:
        self._examiner = examiner
        self._clock = clock
        self._running: dict[str | None, asyncio.Task[DoctorReport]] = {}
        self._kept: dict[str | None, tuple[float, DoctorReport]] = {}
        self._turn = asyncio.Lock()

    async def report(self, patient: Patient, *, anew: bool) -> DoctorReport:
        """Return the report on a kernel spec's environment, or the server's own.

        Raises
        ------
        GpuPerfError
            The examination itself failed.
        """
        key = patient.kernel_name
        taken_at, kept = self._kept.get(key, (0.0, None))
        if kept is not None and not anew and self._clock() - taken_at < KEPT_SECONDS:
            return kept
        running = self._running.get(key)
        if running is None or running.done():
            running = self._running[key] = asyncio.ensure_future(self._examine(patient))
        return await asyncio.shield(running)

    async def _examine(self, patient: Patient) -> DoctorReport:
        async with self._turn:  # two at once would each look slow
            report = await in_thread(lambda: self._examiner.examine(patient))
        self._kept[patient.kernel_name] = (self._clock(), report)
        return report
