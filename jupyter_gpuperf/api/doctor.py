"""``GET doctor``: what is the matter with an environment, and what to type."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import JupyterHandler
from tornado import web

from jupyter_gpuperf.api.base import GpuPerfHandler, in_thread
from jupyter_gpuperf.api.interpreters import python_of
from jupyter_gpuperf.jobs.examining import Examiner, Patient, server_facts
from jupyter_gpuperf.schemas import DoctorReport

KEPT_SECONDS: Final = 300.0
"""Packages and drivers change rarely; who has mended something asks anew."""
OUTPUT_BYTES_PER_SECOND: Final = 1e6
"""What the server has without a setting."""


class Doctor:
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


class DoctorHandler(GpuPerfHandler):
    """``GET doctor?kernel=&refresh=``: the checks, in the server's Python or a kernel spec's."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer :class:`schemas.DoctorReport`; at most five minutes old, or new with ``refresh=1``."""
        kernel_name = self.get_query_argument("kernel", "") or None
        anew = self.get_query_argument("refresh", "") not in ("", "0")
        patient = await self._patient(kernel_name)
        self.answer(await self.services.doctor.report(patient, anew=anew))

    async def _patient(self, kernel_name: str | None) -> Patient:
        facts = server_facts(output_limit(self))
        folder = str(self.settings.get("server_root_dir") or ".")
        if kernel_name is None:
            return Patient(folder=folder, server=facts)
        python = await python_of(self, kernel_name)
        return Patient(
            interpreter=python.interpreter,
            environment=python.environment,
            kernel_name=kernel_name,
            folder=folder,
            server=facts,
        )


def output_limit(handler: JupyterHandler) -> float:
    """Return what the server lets a notebook print, in bytes a second; 0 for all."""
    limit = OUTPUT_BYTES_PER_SECOND
    for name in ("ServerApp", "ZMQChannelsWebsocketConnection"):
        value = (handler.config or {}).get(name, {}).get("iopub_data_rate_limit")
        if isinstance(value, int | float):
            limit = float(value)
    return limit
