"""Build the objects of the server from the settings and connect them. This module contains no other logic."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from jupyter_server.serverapp import ServerApp

from jupyter_gpuperf.config import Settings
from jupyter_gpuperf.findings.alert_watch import AlertWatch
from jupyter_gpuperf.findings.diagnosis_watch import DiagnosisWatch
from jupyter_gpuperf.findings.live_diagnosis import LiveDiagnosis
from jupyter_gpuperf.jobs.check_runner import CheckRunner
from jupyter_gpuperf.jobs.disturbances import DisturbanceWatcher
from jupyter_gpuperf.jobs.kernel_jobs import KernelJobs
from jupyter_gpuperf.jobs.manager import JobManager
from jupyter_gpuperf.jobs.run_hooks import RunHooks
from jupyter_gpuperf.kernel_link.listener import KernelListener
from jupyter_gpuperf.kernel_link.memory_reports import MemoryReports
from jupyter_gpuperf.loop_store.device_usage import DeviceUsage
from jupyter_gpuperf.loop_store.kernel_training import KernelTraining
from jupyter_gpuperf.loop_store.store import TrainingStore
from jupyter_gpuperf.metrics import all_metrics, catalog_of
from jupyter_gpuperf.processes.attribution import Attribution
from jupyter_gpuperf.processes.process_table import ProcessTable
from jupyter_gpuperf.recorder.history_keeper import HistoryKeeper
from jupyter_gpuperf.recorder.store import RecordingStore
from jupyter_gpuperf.results.store import ResultStore
from jupyter_gpuperf.routes.processes import running_kernels
from jupyter_gpuperf.rules import all_rules
from jupyter_gpuperf.sampling import Sampler, Subscribers
from jupyter_gpuperf.sampling.history import history_of
from jupyter_gpuperf.sampling.subscribers import ALERTS, FINDINGS, TRAINING
from jupyter_gpuperf.schemas import RecordingsChanged, SuitesChanged
from jupyter_gpuperf.schemas.cells import CellRan
from jupyter_gpuperf.schemas.kernel_link import (
    Attached,
    Cancel,
    JobReport,
    MemoryAnswer,
    MemoryFailure,
    MemoryReport,
    RunRequest,
)
from jupyter_gpuperf.schemas.processes import Processes
from jupyter_gpuperf.schemas.training import Steps
from jupyter_gpuperf.server.examinations import Examinations
from jupyter_gpuperf.server.kernel_memory import KernelMemoryReader
from jupyter_gpuperf.server.live_lists import ListFeed, LiveList, WholeList
from jupyter_gpuperf.server.process_reader import ProcessReader
from jupyter_gpuperf.server.services import Services
from jupyter_gpuperf.server.threads import in_file_thread, in_thread
from jupyter_gpuperf.sources import source_or_absent
from jupyter_gpuperf.suites.manager import SuiteManager
from jupyter_gpuperf.version import package_version


class Parts:
    """All running parts of the server extension. Building them does not access the hardware.

    Parameters
    ----------
    server
        The Jupyter server, which manages the kernels and sessions.
    wall_clock, monotonic
        The clocks of everything that reads, keeps and judges readings: Unix time, and a time that never jumps.
    """

    def __init__(
        self,
        settings: Settings,
        server: ServerApp,
        *,
        wall_clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        metrics = all_metrics()
        self.history = history_of(metrics, settings.history_seconds)
        self.subscribers = Subscribers()
        source = source_or_absent(settings.source, metrics)
        training = TrainingStore(
            DeviceUsage(self.history, now=wall_clock),
            replayed_training=source.read_training,
            on_active=self.subscribers.read_often,
            now=wall_clock,
            device_of=lambda pid: processes.device_of(pid),
        )
        rules = all_rules()
        alerts = AlertWatch(rules)
        kernel_memory = KernelMemoryReader(monotonic)
        patterns = DiagnosisWatch(
            rules,
            self.history,
            steps=training.steps_over,
            failures=kernel_memory.failures,
            alerts=lambda: alerts.current,
        )
        self.history_keeper = None
        if settings.history_file:
            path = Path(settings.history_file).expanduser()
            self.history_keeper = HistoryKeeper(path, self.history, training)
        self.sampler = Sampler(
            source,
            history=self.history,
            subscribers=self.subscribers,
            idle_interval_ms=settings.idle_interval_ms if settings.sample_when_idle else None,
            prepare=self.history_keeper.start if self.history_keeper else lambda: None,
            open_panel=settings.open_panel,
            observers={
                ALERTS: alerts.message_after,
                FINDINGS: patterns.message_after,
                TRAINING: training.message_after,
            },
            wall_clock=wall_clock,
            monotonic=monotonic,
        )
        results = ResultStore(Path(settings.results_file).expanduser())
        self.jobs = JobManager(
            devices=lambda: self.sampler.devices.devices,
            deadline_seconds=settings.job_deadline_seconds,
            run_hooks=RunHooks(
                store=results, watcher=DisturbanceWatcher(self.sampler, self.subscribers)
            ),
        )
        self.suites = SuiteManager(jobs=self.jobs, results=results)
        folder, subscribers = Path(settings.recordings_directory).expanduser(), self.subscribers
        self.recordings = RecordingStore(folder, sampler=self.sampler, subscribers=subscribers)
        self.check_runner = CheckRunner()
        memory = MemoryReports()
        attribution = Attribution(table=ProcessTable(), reports=memory.current)
        processes = ProcessReader(self.sampler, attribution, monotonic)

        async def listed() -> Processes:
            return await processes.read(await running_kernels(server))

        self.diagnosis = LiveDiagnosis(
            patterns,
            sampler=self.sampler,
            subscribers=subscribers,
            processes=listed,
            clock=monotonic,
        )
        suites = WholeList(self.suites.all, lambda all_: SuitesChanged(suites=all_))
        recordings = WholeList(self.recordings.all, lambda all_: RecordingsChanged(recordings=all_))
        live: dict[str, ListFeed] = {"jobs": self.jobs, "suites": suites, "recordings": recordings}
        lists = {topic: LiveList(topic, each) for topic, each in live.items()}
        self.jobs.on_change = lists["jobs"].send_soon
        self.suites.on_change = lists["suites"].send_soon
        self.recordings.on_change = lists["recordings"].send_soon
        self.services = Services(
            catalog=catalog_of(metrics),
            history=self.history,
            subscribers=self.subscribers,
            sampler=self.sampler,
            jobs=self.jobs,
            results=results,
            suites=self.suites,
            processes=processes,
            alerts=alerts,
            diagnosis=self.diagnosis,
            recordings=self.recordings,
            doctor=Examinations(self.check_runner),
            training=training,
            memory=kernel_memory,
            live_lists=lists,
        )
        kernel_jobs = KernelJobs(self.jobs, self.services.wait_for_readings)
        kernel_training = KernelTraining(training, self.sampler.request_tick)
        self.kernel_listener = KernelListener(
            {
                RunRequest: kernel_jobs.run,
                Cancel: kernel_jobs.cancel,
                JobReport: kernel_jobs.report,
                MemoryReport: memory.take,
                Steps: kernel_training.steps,
                CellRan: kernel_training.cell_ran,
                Attached: kernel_memory.attach,
                MemoryAnswer: kernel_memory.take,
                MemoryFailure: kernel_memory.take_failure,
            },
            runtime_directory=Path(server.runtime_dir),
            version=package_version(),
        )

    async def start(self) -> None:
        """Start the listener for kernels, the sampler and the diagnosis."""
        await self.kernel_listener.start()
        self.sampler.start()
        self.diagnosis.start()
        await in_thread(_load_benchmarks)

    async def stop(self) -> None:
        """Stop all parts, including running jobs, suites and recordings."""
        await self.kernel_listener.stop()
        for live_list in self.services.live_lists.values():
            live_list.stop()
        self.suites.close()
        self.check_runner.close()
        await self.diagnosis.stop()
        self.jobs.close()
        await in_file_thread(self.recordings.close)
        self.sampler.stop()
        if self.history_keeper:
            await in_file_thread(self.history_keeper.stop)


def _load_benchmarks() -> None:
    """Import the modules that the first page needs; runs outside the event loop."""
    import jupyter_gpuperf.benchmarks  # noqa: F401  (imported only to load it)
