"""List the processes on all devices on request, and match them with notebooks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from jupyter_gpuperf.errors import Unavailable
from jupyter_gpuperf.processes.attribution import Attribution, RunningKernel
from jupyter_gpuperf.sampling import Sampler
from jupyter_gpuperf.schemas import Processes

KEPT_SECONDS: Final = 1.0
"""How long a process list is reused: listing costs 2 ms per device."""

LISTING_SECONDS: Final = 5.0
"""Time limit for listing the processes of all devices."""


class ProcessReader:
    """Lists the processes for all clients and matches them with notebooks, one request at a time.

    Parameters
    ----------
    sampler
        Lists the processes in its own thread.
    """

    def __init__(
        self,
        sampler: Sampler,
        attribution: Attribution,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sampler, self._attribution, self._clock = sampler, attribution, clock
        self._running: asyncio.Task[Processes] | None = None
        self._read_at = 0.0
        self._processes: Processes | None = None

    async def read(self, kernels: list[RunningKernel]) -> Processes:
        """Return the processes of all devices; the list is at most one second old.

        Raises
        ------
        Unavailable
            ``not_answering``: the driver did not list the processes in time.
        """
        if self._processes is not None and self._clock() - self._read_at < KEPT_SECONDS:
            return self._processes
        if self._running is None or self._running.done():
            self._running = asyncio.ensure_future(self._read(kernels))
        return await asyncio.shield(self._running)

    def device_of(self, pid: int) -> str | None:
        """Return the UUID of the only device that a process uses, by the last list; ``None`` if that is unknown."""
        listed = {} if self._processes is None else self._processes.devices
        found = [uuid for uuid, each in listed.items() if pid in {x.pid for x in each.processes}]
        return found[0] if len(found) == 1 else None

    async def _read(self, kernels: list[RunningKernel]) -> Processes:
        self._sampler.start()
        request = asyncio.wrap_future(self._sampler.request_processes())
        try:
            listed = await asyncio.wait_for(request, LISTING_SECONDS)
        except asyncio.TimeoutError as error:  # not the built-in TimeoutError before Python 3.11
            raise Unavailable(
                "not_answering",
                "The driver did not list the processes within {seconds:.0f} s.",
                "Check whether nvidia-smi responds in a terminal.",
                seconds=LISTING_SECONDS,
            ) from error
        self._processes = await asyncio.to_thread(self._attribution.of, listed, kernels)
        self._read_at = self._clock()
        return self._processes
