"""Builds the objects from the configuration and wires them; no logic."""

from __future__ import annotations

import time
from importlib import import_module
from pathlib import Path
from typing import Final

from jupyter_server.extension.application import ExtensionApp
from tornado.ioloop import IOLoop

import jupyter_gpuperf
from jupyter_gpuperf.alerts import RULES, AlertWatch
from jupyter_gpuperf.api import Services, handlers
from jupyter_gpuperf.api.base import in_thread
from jupyter_gpuperf.api.diagnosing import LiveDiagnosis
from jupyter_gpuperf.api.doctor import Doctor
from jupyter_gpuperf.api.kernel_holdings import KernelHoldings
from jupyter_gpuperf.api.kernel_socket import KernelSocket
from jupyter_gpuperf.api.kernel_words import KernelWords
from jupyter_gpuperf.api.process_reader import ProcessReader
from jupyter_gpuperf.api.processes import kernels_of
from jupyter_gpuperf.config import Settings
from jupyter_gpuperf.diagnose import all_rules
from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.jobs.around import Around
from jupyter_gpuperf.jobs.examining import Examiner
from jupyter_gpuperf.jobs.manager import JobManager
from jupyter_gpuperf.jobs.results import ResultStore
from jupyter_gpuperf.jobs.suites import SuiteManager
from jupyter_gpuperf.jobs.told import ToldJobs
from jupyter_gpuperf.jobs.watching import Watcher
from jupyter_gpuperf.metrics import Metric, all_metrics, catalog_of
from jupyter_gpuperf.sampling import SHORTEST_INTERVAL_MS, HistoryStore, Sampler, Subscribers
from jupyter_gpuperf.sampling.attribution import Attribution
from jupyter_gpuperf.sampling.device_share import DeviceShare
from jupyter_gpuperf.sampling.diagnosis_watch import DiagnosisWatch
from jupyter_gpuperf.sampling.history_keeper import HistoryKeeper
from jupyter_gpuperf.sampling.process_table import ProcessTable
from jupyter_gpuperf.sampling.recordings import RecordingShelf
from jupyter_gpuperf.sampling.subscribers import TRAINING, Attention
from jupyter_gpuperf.sampling.training import TrainingStore
from jupyter_gpuperf.sampling.watched_steps import for_diagnosis
from jupyter_gpuperf.schemas import API_VERSION, NoDevices, Version
from jupyter_gpuperf.sources import Source, source_from
from jupyter_gpuperf.sources.absent import AbsentSource

START_DELAY_SECONDS: Final = 0.5


class GpuPerf(Settings, ExtensionApp):
    """The server extension."""

    name = "jupyter_gpuperf"
    load_other_extensions = True

    def initialize_settings(self) -> None:
        """Build everything. Nothing touches the hardware yet."""
        assert self.serverapp is not None  # an extension is initialised by its server
        metrics = all_metrics()
        changing = [
            metric for metric in metrics if metric.kind != "limit"
        ]  # limits need no history
        history = HistoryStore(
            seconds=self.history_seconds,
            shortest_interval_seconds=SHORTEST_INTERVAL_MS / 1000,
            device_metrics=[metric.name for metric in changing if metric.scope == "device"],
            host_metrics=[metric.name for metric in changing if metric.scope == "host"],
        )
        subscribers = Subscribers()
        source = self._source(metrics)
        training = TrainingStore(
            DeviceShare(history, now=time.time),
            played=source.read_training,
            on_active=Attention(subscribers).pay,
        )
        self.history_keeper = (
            HistoryKeeper(Path(self.history_file).expanduser(), history)
            if self.history_file
            else None
        )
        self.sampler = Sampler(
            source,
            history=history,
            subscribers=subscribers,
            idle_interval_ms=self.idle_interval_ms if self.sample_when_idle else None,
            version=_version,
            alerts=AlertWatch(RULES),
            prepare=self.history_keeper.start if self.history_keeper else lambda: None,
            observers={TRAINING: training.observe},
        )
        results = ResultStore(Path(self.results_file).expanduser())
        self.jobs = JobManager(
            devices=lambda: self.sampler.devices.devices,
            deadline_seconds=self.job_deadline_seconds,
            around=Around(store=results, watcher=Watcher(self.sampler, subscribers)),
        )
        self.suites = SuiteManager(jobs=self.jobs, results=results)
        self.recordings = RecordingShelf(
            Path(self.recordings_directory), sampler=self.sampler, subscribers=subscribers
        )
        self.examiner = Examiner()
        holdings, told = KernelHoldings(), ToldJobs()
        processes = ProcessReader(
            self.sampler, Attribution(table=ProcessTable(), reports=holdings.now)
        )
        server = self.serverapp
        self.diagnosis = LiveDiagnosis(
            DiagnosisWatch(
                all_rules(),
                history,
                steps=lambda seconds: for_diagnosis(training.steps_over(seconds)),
            ),
            sampler=self.sampler,
            subscribers=subscribers,
            processes=processes,
            kernels=lambda: kernels_of(server.session_manager, server.kernel_manager),
        )
        self.services = Services(
            catalog=catalog_of(metrics),
            history=history,
            subscribers=subscribers,
            sampler=self.sampler,
            jobs=self.jobs,
            told=told,
            results=results,
            suites=self.suites,
            processes=processes,
            diagnosis=self.diagnosis,
            recordings=self.recordings,
            doctor=Doctor(self.examiner),
            training=training,
        )
        self.kernel_socket = KernelSocket(
            manager=self.jobs,
            runtime_directory=Path(self.serverapp.runtime_dir),
            devices=lambda: self.sampler.devices.devices,
            ready=self.services.fresh,
            words=KernelWords(holdings, training, wait_for_tick=self.sampler.wait_for_tick),
            told=told,
            version=str(jupyter_gpuperf.__version__),
        )

    def initialize_handlers(self) -> None:
        """Add the routes."""
        self.handlers.extend(handlers(self.services))

    async def _start_jupyter_server_extension(self, _serverapp: object) -> None:
        """Start sampling soon, and listen to kernels; called when the server's loop runs."""
        # Opening the driver and loading the benchmarks take the interpreter from the start of the
        # server; a request that comes earlier does it itself.
        IOLoop.current().call_later(START_DELAY_SECONDS, self._warm_up)
        await self.kernel_socket.start()

    def _warm_up(self) -> None:
        self.sampler.start()
        self.diagnosis.start()
        IOLoop.current().run_in_executor(None, import_module, "jupyter_gpuperf.benchmarks")

    async def stop_extension(self) -> None:
        """End the workers, the socket and the sampler with the server."""
        await self.kernel_socket.stop()
        self.suites.close()
        self.examiner.close()
        await self.diagnosis.stop()
        self.jobs.close()
        await in_thread(self.recordings.close)
        self.sampler.stop()
        if self.history_keeper:
            await in_thread(self.history_keeper.stop)

    def _source(self, metrics: tuple[Metric, ...]) -> Source:
        try:
            return source_from(self.source, metrics)
        except GpuPerfError as error:
            # A wrong setting must not keep the server from starting: the panel says it.
            self.log.error("%s %s", error.message, error.hint)
            reason = NoDevices(code=error.code, message=error.message, hint=error.hint)
            return AbsentSource(reason, metrics)


def _version(source_kind: str) -> Version:
    return Version(
        version=str(jupyter_gpuperf.__version__), api_version=API_VERSION, source=source_kind
    )
