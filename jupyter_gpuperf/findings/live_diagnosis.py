"""The diagnosis of a running server: check every few seconds, and send changed findings to all pages."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.findings.build_rule_input import listings_of
from jupyter_gpuperf.findings.diagnosis_watch import DiagnosisWatch
from jupyter_gpuperf.rules import ProcessListing
from jupyter_gpuperf.sampling import Sampler, Subscribers
from jupyter_gpuperf.sampling.subscribers import FINDINGS
from jupyter_gpuperf.schemas import FindingsChanged, Frame, Processes, Reading, encode

logger = logging.getLogger(__name__)

POLL_SECONDS: Final = 2.0
SHARE_OF_A_CORE: Final = 0.025
"""Checks use at most this share of a CPU core: slow checks become less frequent, up to ``LONGEST_PAUSE_SECONDS``."""
LONGEST_PAUSE_SECONDS: Final = 4.0
"""Maximum pause between two checks. A check of eight devices at 10 Hz takes 0.1 s on a slow core."""
LISTING_SECONDS: Final = 4.0
"""Minimum time between two process listings: listing costs 2 ms per device, and processes hardly change."""
STALE_SECONDS: Final = 12.0
"""If the latest reading is older, sampling is off: don't check, because listing processes could wake a sleeping GPU."""


@dataclass(eq=False)
class LiveDiagnosis:
    """Checks the readings periodically. Methods run on the event loop; the rules run in a thread.

    Parameters
    ----------
    processes
        Lists the processes with their notebooks, so that a finding can name its notebook.
    """

    watch: DiagnosisWatch
    sampler: Sampler
    subscribers: Subscribers
    processes: Callable[[], Awaitable[Processes]]
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self._checking = asyncio.Lock()
        self._checked_at = self._listed_at = self._seen_seconds = -math.inf
        self._check_seconds = 0.0

    @property
    def current(self) -> FindingsChanged:
        """All current findings, worst first."""
        return self.watch.current

    def start(self) -> None:
        """Start the periodic checks unless they are already running. Call this on the event loop."""
        if self._task is None:
            self._task = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        """Stop the periodic checks."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def check(self) -> None:
        """Check now, and send changed findings to all pages, unless the last check was less than a second ago."""
        async with self._checking:
            if self.clock() - self._checked_at < POLL_SECONDS / 2:
                return
            self._checked_at = self.clock()
            latest = self.sampler.latest
            if latest is None or not self.sampler.is_fresh(STALE_SECONDS):
                return
            if latest.time_seconds == self._seen_seconds:
                return  # no new reading: they are infrequent while no page is open
            self._seen_seconds = latest.time_seconds
            listed = await self._listed(latest)
            infos, played = self.sampler.devices.devices, self.sampler.played_seconds
            began = time.monotonic()
            news = await asyncio.to_thread(self.watch.check, latest, infos, listed, played)
            self._check_seconds = time.monotonic() - began
            if news:
                self.subscribers.announce(encode(self.current), FINDINGS)

    async def _run(self) -> None:
        while True:
            pause_seconds = max(POLL_SECONDS, self._check_seconds / SHARE_OF_A_CORE)
            await asyncio.sleep(min(pause_seconds, LONGEST_PAUSE_SECONDS))
            try:
                await self.check()
            except Exception:  # a bug in one check must not end the diagnosis
                logger.exception("The diagnosis failed; it continues.")

    async def _listed(self, latest: Frame) -> dict[str, ProcessListing]:
        is_due = self.clock() - self._listed_at >= LISTING_SECONDS
        if not is_due or not any(map(_is_in_use, latest.devices.values())):
            return {}
        self._listed_at = self.clock()
        try:
            listed = await self.processes()
        except GpuPerfError:
            return {}  # the driver hangs, which the readings already show
        devices = {uuid: each.reason or each.processes for uuid, each in listed.devices.items()}
        return listings_of(devices, listed.time_seconds)


def _is_in_use(readings: Mapping[str, Reading]) -> bool:
    utilization = readings.get("utilization_percent")
    used, total = readings.get("memory_used_bytes"), readings.get("memory_total_bytes")
    holds = isinstance(used, float) and isinstance(total, float) and used > 0.05 * total
    return holds or (isinstance(utilization, float) and utilization > 0)
