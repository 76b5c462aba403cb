"""Queue jobs and run them in worker processes, one at a time per device."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jupyter_gpuperf.errors import GpuPerfError, JobFailed, Unavailable
from jupyter_gpuperf.jobs.device_assignment import (
    DeviceAssignment,
    assign_all_devices,
    assign_device,
)
from jupyter_gpuperf.jobs.job import WorkerJob, new_record
from jupyter_gpuperf.jobs.locking import hold_locks
from jupyter_gpuperf.jobs.process import (
    WORKER,
    WorkerCancelled,
    WorkerOrder,
    WorkerProcess,
    shutting_down_error,
)
from jupyter_gpuperf.jobs.registry import JobRegistry
from jupyter_gpuperf.jobs.run_hooks import RunHooks
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.results.aggregate_runs import combine_runs, run_count
from jupyter_gpuperf.schemas import BenchmarkResult, DeviceInfo, ErrorInfo, JobInfo, JobRequest

if TYPE_CHECKING:
    from jupyter_gpuperf.benchmarks import Benchmark

logger = logging.getLogger(__name__)

LONGEST_QUEUE: Final = 100


class JobManager(JobRegistry):
    """A job registry with queues and workers for the jobs that this server runs.

    Thread-safe; every method except :meth:`close` returns at once.

    Parameters
    ----------
    devices
        Returns the current devices of this machine.
    deadline_seconds
        Time limit of a worker; one that runs longer is killed.
    run_hooks
        Observe the machine and store the result; by default, neither is done.
    lock_directory
        Folder of the lock files; by default one shared by all users of the machine.
    worker
        The interpreter's arguments that start the worker; tests replace them.
    """

    def __init__(
        self,
        *,
        devices: Callable[[], Sequence[DeviceInfo]],
        deadline_seconds: float,
        run_hooks: RunHooks | None = None,
        lock_directory: Path | None = None,
        worker: Sequence[str] = WORKER,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(clock)
        self._devices, self._deadline_seconds = devices, deadline_seconds
        self._run_hooks = run_hooks or RunHooks()
        self._lock_directory, self._worker = lock_directory, worker
        self._queues: dict[str, deque[WorkerJob]] = {}
        self._queue_threads: dict[str, threading.Thread] = {}
        self._closed = False

    def submit(
        self,
        request: JobRequest,
        *,
        interpreter: str = sys.executable,
        environment: Mapping[str, str] | None = None,
        suite: str | None = None,
    ) -> JobInfo:
        """Queue a benchmark.

        Parameters
        ----------
        interpreter, environment
            The Python that runs the benchmark, and environment variables to set for it.
        suite
            Id of the suite that the job belongs to.

        Raises
        ------
        NotFound
            ``unknown_benchmark`` or ``unknown_device``.
        BadRequest
            A parameter is unknown, of the wrong type or out of range; or the device is a recording.
        Unavailable
            ``queue_full``, or ``shutting_down``.
        """
        # Imported here, since importing the benchmarks would delay the start of the server.
        from jupyter_gpuperf.benchmarks import find

        benchmark = find(request.benchmark)
        parameters = benchmark.check(request.parameters)
        assignment = self.assignment(benchmark, request.device, environment or {})
        job: WorkerJob = WorkerJob(
            record=new_record(
                benchmark.name,
                parameters,
                created_seconds=self._clock(),
                kernel_name=request.kernel_name,
                device=assignment.device,
                suite=suite,
            ),
            stop=lambda: self._cancel(job),
            assignment=assignment,
            order=WorkerOrder(
                benchmark=benchmark.name,
                parameters=parameters,
                interpreter=interpreter,
                environment={**(environment or {}), **assignment.environment},
                deadline_seconds=self._deadline_seconds,
                worker=self._worker,
            ),
        )
        with self._lock:
            self._enqueue(job)
            return self._info(job)

    def assignment(
        self, benchmark: Benchmark, device: str | None, environment: Mapping[str, str]
    ) -> DeviceAssignment:
        """Return where a benchmark would run; raises as :meth:`submit` does."""
        if benchmark.all_devices:
            return assign_all_devices(self._devices())
        chosen = {**os.environ, **environment}  # a kernel may have chosen its device
        return assign_device(device, self._devices(), chosen)

    def close(self) -> None:
        """Cancel all jobs, refuse new ones, and return when no worker is left."""
        with self._lock:
            self._closed = True
            for job in tuple(self._jobs.values()):  # a copy: ending one job may remove another
                if isinstance(job, WorkerJob):
                    self._cancel(job)
            threads = list(self._queue_threads.values())
        for thread in threads:
            thread.join()

    def _enqueue(self, job: WorkerJob) -> None:
        if self._closed:
            raise shutting_down_error()
        queue = self._queues.setdefault(job.assignment.key, deque())
        if len(queue) >= LONGEST_QUEUE:
            raise Unavailable("queue_full", "Too many jobs are queued.", "Cancel some of them.")
        queue.append(job)
        if len(queue) > 1 or job.assignment.key in self._queue_threads:
            job.change(progress_message="Waiting for the previous benchmark")
        self.add(job)
        if job.assignment.key not in self._queue_threads:
            run = partial(self._run_queue, job.assignment.key)
            thread = threading.Thread(target=run, name="gpuperf-jobs", daemon=True)
            self._queue_threads[job.assignment.key] = thread
            thread.start()

    def _cancel(self, job: WorkerJob) -> None:
        if job.has_ended:
            return
        job.cancel_event.set()
        if job.process is not None:
            job.process.cancel()  # its queue's thread records the end, once no process is left
        elif job.record.started_seconds is None:
            with contextlib.suppress(ValueError):
                self._queues[job.assignment.key].remove(job)
            self._end(job)

    def _run_queue(self, key: str) -> None:
        while True:
            with self._lock:
                if not self._queues[key]:
                    del self._queue_threads[key]
                    return
                job = self._queues[key].popleft()
            self._run(job)

    def _run(self, job: WorkerJob) -> None:
        try:
            with (
                self._devices_locked(job) as descriptors,
                self._run_hooks.run(job.assignment.device) as finish,
            ):
                runs = run_count(job.record.parameters)
                results = [
                    self._start(job, descriptors, number, runs).wait_for(BenchmarkResult)
                    for number in range(runs)
                ]
                result, number = finish(combine_runs(results))
            with self._lock:
                job.change(state="done", result=result, result_id=number, progress_ratio=1.0)
        except WorkerCancelled:
            logger.debug("Job %s was cancelled.", job.id)
        except GpuPerfError as error:
            self._fail(job, error)
        except Exception as error:  # a defect in one job must not stop its queue
            logger.exception("Job %s failed in the server.", job.id)
            self._fail(job, JobFailed("internal_error", str(error), "See the server log."))
        finally:
            with self._lock:
                self._end(job)

    def _devices_locked(self, job: WorkerJob) -> AbstractContextManager[tuple[int, ...]]:
        """Lock the job's devices while the block runs; wait first if another server uses them."""

        def wait(seconds: float) -> None:
            self._progress(job, 0.0, Message("Waiting: another server uses this device"))
            if job.cancel_event.wait(seconds):
                raise WorkerCancelled

        return hold_locks(job.assignment.locks, self._lock_directory, wait=wait)

    def _start(
        self, job: WorkerJob, descriptors: tuple[int, ...], number: int, runs: int
    ) -> WorkerProcess:
        with self._lock:
            if job.cancel_event.is_set():
                raise WorkerCancelled
            job.process = WorkerProcess(
                replace(job.order, lock_descriptors=descriptors, marker=uuid.uuid4().hex),
                on_progress=partial(self._progress_of_run, job, number, runs),
                tail=job.tail,
            )
            started = job.record.started_seconds or self._clock()
            job.change(state="running", progress_message="Starting", started_seconds=started)
            self.notify(job)
            return job.process

    def _progress_of_run(
        self, job: WorkerJob, number: int, runs: int, ratio: float, text: str
    ) -> None:
        if runs > 1:
            message = "Run {number} of {runs}: {text}"
            text = Message(message, number=number + 1, runs=runs, text=text)
        self._progress(job, (number + ratio) / runs, text)

    def _progress(self, job: WorkerJob, ratio: float, message: str) -> None:
        with self._lock:
            changed = (job.record.progress_ratio, job.record.progress_message) != (ratio, message)
            job.change(progress_ratio=ratio, progress_message=message)
            job.remaining.observe(self._clock(), ratio)
            if changed:
                self.notify_soon(job)

    def _fail(self, job: WorkerJob, error: GpuPerfError) -> None:
        with self._lock:
            job.change(state="failed", error=ErrorInfo(**error.to_dict()))

    def _end(self, job: WorkerJob) -> None:
        if job.record.ended_seconds is None:
            job.process = None
            job.change(
                state=job.record.state if job.has_ended else "cancelled",
                ended_seconds=self._clock(),
                progress_message="",
            )
            self.notify(job)
