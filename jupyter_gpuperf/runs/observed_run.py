"""The parts of the product that a run needs, without a server: sampler, step reports, diagnosis and totals."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from typing import Final

from msgspec import structs

from jupyter_gpuperf.findings.diagnosis_watch import DiagnosisWatch
from jupyter_gpuperf.findings.live_diagnosis import LiveDiagnosis
from jupyter_gpuperf.kernel_link.listener import KernelListener
from jupyter_gpuperf.kernel_link.router import KernelSession
from jupyter_gpuperf.kernel_link.run_address import RunAddress
from jupyter_gpuperf.loop_store.device_usage import DeviceUsage
from jupyter_gpuperf.loop_store.kernel_training import KernelTraining
from jupyter_gpuperf.loop_store.store import TrainingStore
from jupyter_gpuperf.metrics import all_metrics
from jupyter_gpuperf.processes.attribution import Attribution, RunningKernel
from jupyter_gpuperf.processes.process_table import ProcessTable
from jupyter_gpuperf.rules import all_rules
from jupyter_gpuperf.runs.device_totals import DeviceTotals
from jupyter_gpuperf.runs.found_causes import FoundCauses
from jupyter_gpuperf.runs.loop_totals import RunTotals
from jupyter_gpuperf.runs.run_folder import new_folder, no_socket
from jupyter_gpuperf.sampling import Sampler, Subscribers
from jupyter_gpuperf.sampling.history import history_of
from jupyter_gpuperf.schemas import Finding, Frame
from jupyter_gpuperf.schemas.kernel_link import ScriptStarted
from jupyter_gpuperf.schemas.processes import KernelInfo, Processes
from jupyter_gpuperf.schemas.training import LoopSteps, Steps
from jupyter_gpuperf.server.process_reader import ProcessReader
from jupyter_gpuperf.sources import source_from

HISTORY_SECONDS: Final = 600.0
IDLE_INTERVAL_MS: Final = 1000
LAST_WORDS_SECONDS: Final = 1.0
"""How long the reports of processes that have ended may take to arrive."""
POLL_SECONDS: Final = 0.02
SHOWN_SECONDS: Final = 10.0
"""Time over which the current figures are means."""


class ObservedRun:
    """A run, from before its script starts until after its end. Use it on one event loop.

    Parameters
    ----------
    name
        What the run is called beside notebooks.
    source
        As ``c.GpuPerf.source``.

    Raises
    ------
    BadRequest
        ``unknown_source``: the source does not exist.
    """

    def __init__(self, name: str, source: str) -> None:
        metrics = all_metrics()
        self.totals, self.devices, self.causes = RunTotals(), DeviceTotals(), FoundCauses()
        self.environment: ScriptStarted | None = None
        """What the first process that imported torch said of itself; ``None`` as long as there is none."""
        readings = source_from(source, metrics)
        self._folder = new_folder()
        self.address = RunAddress(id=self._folder.name, name=name, socket="")
        self._history, subscribers = history_of(metrics, HISTORY_SECONDS), Subscribers()
        self.training = TrainingStore(
            DeviceUsage(self._history, now=time.time),
            on_active=subscribers.read_often,
            device_of=lambda pid: self._processes.device_of(pid),
        )
        self._watch = DiagnosisWatch(all_rules(), self._history, steps=self.training.steps_over)
        self.sampler = Sampler(
            readings,
            history=self._history,
            subscribers=subscribers,
            idle_interval_ms=IDLE_INTERVAL_MS,
            observers={"run": self._count_frame},
        )
        self._processes = ProcessReader(self.sampler, Attribution(table=ProcessTable()))
        self._diagnosis = LiveDiagnosis(
            self._watch, sampler=self.sampler, subscribers=subscribers, processes=self._listed
        )
        self._reports = KernelTraining(self.training, self.sampler.request_tick)
        self._listener = KernelListener(
            {Steps: self._take_steps, ScriptStarted: self._take_environment},
            runtime_directory=self._folder,
        )
        self._pid: int | None = None
        self._is_stopped = False
        self._used: set[str] = set()

    async def start(self) -> None:
        """Listen for the script's processes, and read the devices.

        Raises
        ------
        Unavailable
            ``not_started``: no process could report.
        """
        await self._listener.start()
        if self._listener.path is None:
            raise no_socket(self._folder)
        self.address = structs.replace(self.address, socket=str(self._listener.path))
        self.sampler.start()

    def script_started(self, pid: int) -> None:
        """Take note of the script's process: what it and its children do on the devices belongs to the run."""
        self._pid = pid
        self._diagnosis.start()

    async def update(self) -> list[Finding]:
        """Take note of what holds now, once a second or so; return what is new."""
        with contextlib.suppress(
            Exception
        ):  # the driver hangs, or a rule has a bug: the script goes on
            await self._find_devices()
        self._used |= self.totals.device_uuids
        is_active = bool(self.current_loops() or self._used)
        return self.causes.add(self.current_findings(), is_active=is_active)

    async def stop(self) -> None:
        """Take the last reports, and stop everything. A second call does nothing."""
        if self._is_stopped:
            return
        self._is_stopped = True
        until = time.monotonic() + LAST_WORDS_SECONDS
        while self._listener.has_connections and time.monotonic() < until:
            await asyncio.sleep(POLL_SECONDS)
        await self._diagnosis.stop()
        await self._listener.stop()
        await asyncio.to_thread(self.sampler.stop)
        shutil.rmtree(self._folder, ignore_errors=True)

    def current_loops(self) -> list[LoopSteps]:
        """Return the figures of the loops in the last seconds."""
        return self.training.steps_over(SHOWN_SECONDS)

    def current_findings(self) -> list[Finding]:
        """Return what holds now on the run's devices."""
        found = self._watch.current.findings
        return [each for each in found if each.device is None or each.device in self._used]

    def _count_frame(self, frame: Frame) -> None:
        self.devices.add(frame, self._used)

    def _take_steps(self, session: KernelSession, steps: Steps) -> None:
        self.totals.add(session.pid, steps)
        self._reports.steps(session, steps)

    def _take_environment(self, _session: KernelSession, started: ScriptStarted) -> None:
        self.environment = self.environment or started

    async def _listed(self) -> Processes:
        info = KernelInfo(
            kernel_id=self.address.id,
            kernel_name="",
            execution_state="busy",
            idle_seconds=None,
            notebook_path=self.address.name,
            session_name=None,
        )
        return await self._processes.read([RunningKernel(info=info, pid=self._pid)])

    async def _find_devices(self) -> None:
        for uuid, device in (await self._listed()).devices.items():
            if any(each.kernel is not None for each in device.processes):
                self._used.add(uuid)
