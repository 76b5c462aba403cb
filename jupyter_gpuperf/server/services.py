"""Bundle the services that the routes call."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from jupyter_gpuperf.errors import Unavailable
from jupyter_gpuperf.findings.alert_watch import AlertWatch
from jupyter_gpuperf.findings.live_diagnosis import LiveDiagnosis
from jupyter_gpuperf.jobs.manager import JobManager
from jupyter_gpuperf.loop_store.store import TrainingStore
from jupyter_gpuperf.recorder.store import RecordingStore
from jupyter_gpuperf.results.store import ResultStore
from jupyter_gpuperf.sampling import HistoryStore, Sampler, Subscribers
from jupyter_gpuperf.schemas import Catalog, Frame
from jupyter_gpuperf.server.examinations import Examinations
from jupyter_gpuperf.server.fanout import Fanout
from jupyter_gpuperf.server.kernel_memory import KernelMemoryReader
from jupyter_gpuperf.server.live_lists import LiveList
from jupyter_gpuperf.server.process_reader import ProcessReader
from jupyter_gpuperf.suites.manager import SuiteManager

TICK_SECONDS: Final = 10.0
"""Time limit for a reading of the devices."""
LATEST_SECONDS: Final = 1.0
"""Maximum age of the readings that :meth:`Services.latest` returns, even while no page is open and ticks are rare."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Services:
    """The services that the routes call."""

    catalog: Catalog
    history: HistoryStore
    subscribers: Subscribers
    sampler: Sampler
    jobs: JobManager
    processes: ProcessReader
    recordings: RecordingStore
    results: ResultStore
    suites: SuiteManager
    doctor: Examinations
    alerts: AlertWatch
    diagnosis: LiveDiagnosis
    training: TrainingStore
    memory: KernelMemoryReader
    live_lists: Mapping[str, LiveList]
    """Topic on the live socket → the list that pages can follow."""
    fanout: Fanout = field(default_factory=Fanout)

    async def latest(self) -> Frame:
        """Return the latest frame, at most one second old.

        Raises
        ------
        Unavailable
            ``not_answering`` or ``no_sample_yet``: the driver did not answer in time.
        """
        await self.wait_for_readings(LATEST_SECONDS)
        if self.sampler.latest is None:  # only if the sampler was stopped since the first tick
            raise Unavailable("no_sample_yet", "No reading yet.", "Try again.")
        return self.sampler.latest

    async def wait_for_readings(self, oldest_seconds: float = math.inf) -> None:
        """Start sampling if necessary, and wait until there are readings not older than ``oldest_seconds``.

        Raises
        ------
        Unavailable
            ``not_answering``: the driver did not answer in time.
        """
        sampler = self.sampler
        self.diagnosis.start()
        # A program that embeds the server may not call the extension's start hooks.
        sampler.start()
        if sampler.is_fresh(oldest_seconds):
            return
        try:
            await asyncio.wait_for(asyncio.wrap_future(sampler.request_tick()), TICK_SECONDS)
        except asyncio.TimeoutError as error:  # not the built-in TimeoutError before Python 3.11
            raise Unavailable(
                "not_answering",
                "The driver did not respond within {seconds:.0f} s.",
                "Check whether nvidia-smi responds in a terminal, then restart the Jupyter server.",
                seconds=TICK_SECONDS,
            ) from error
