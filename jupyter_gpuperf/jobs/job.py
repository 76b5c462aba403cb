"""One job's state. Changed by its manager alone, under the manager's lock."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Final

from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.jobs.device_assignment import Place
from jupyter_gpuperf.jobs.process import WorkerProcess
from jupyter_gpuperf.jobs.remaining import Remaining
from jupyter_gpuperf.jobs.tail import Tail
from jupyter_gpuperf.schemas import BenchmarkResult, ErrorInfo, JobInfo, JobState, Scalar

logger = logging.getLogger(__name__)

Listener = Callable[[JobInfo], None]

SHORTEST_NEWS_SECONDS: Final = 0.05
"""Progress that comes faster is told together."""


@dataclass(kw_only=True, slots=True, eq=False)
class Job:
    """A benchmark that was asked for."""

    id: str
    benchmark: str
    parameters: dict[str, Scalar]
    kernel_name: str | None
    place: Place
    interpreter: str
    environment: Mapping[str, str]
    created_seconds: float
    suite: str | None = None
    state: JobState = "queued"
    progress_ratio: float = 0.0
    progress_message: str = ""
    started_seconds: float | None = None
    ended_seconds: float | None = None
    result: BenchmarkResult | None = None
    result_id: int | None = None
    error: ErrorInfo | None = None
    tail: Tail = field(default_factory=Tail)
    cancelled: threading.Event = field(default_factory=threading.Event)
    process: WorkerProcess | None = None
    listeners: list[Listener] = field(default_factory=list)
    told_at: float = 0.0
    late_news: threading.Timer | None = None
    remaining: Remaining = field(default_factory=Remaining)

    @property
    def has_ended(self) -> bool:
        """Tell whether nothing will change any more."""
        return self.state in ("done", "failed", "cancelled")

    def fail(self, error: GpuPerfError) -> None:
        """Note what went wrong."""
        self.state = "failed"
        self.error = ErrorInfo(**error.to_dict())

    def info(self, now_seconds: float, waits_for: Sequence[str] = ()) -> JobInfo:
        """Return what goes over the wire."""
        return JobInfo(
            id=self.id,
            benchmark=self.benchmark,
            parameters=self.parameters,
            kernel_name=self.kernel_name,
            device=self.place.device,
            state=self.state,
            progress_ratio=self.progress_ratio,
            progress_message=self.progress_message,
            created_seconds=self.created_seconds,
            started_seconds=self.started_seconds,
            ended_seconds=self.ended_seconds,
            result=self.result,
            result_id=self.result_id,
            remaining_seconds=(
                self.remaining.seconds(now_seconds) if self.state == "running" else None
            ),
            waits_for=list(waits_for),
            suite=self.suite,
            error=self.error,
            log_tail=self.tail.text(),
        )

    def tell(self, now_seconds: float) -> None:
        """Tell all listeners how it is now."""
        self.told_at = now_seconds
        info = self.info(now_seconds)
        for listener in tuple(self.listeners):
            try:
                listener(info)
            except Exception:  # a listener's defect must not end the job
                logger.exception("A listener of job %s failed.", self.id)

    def tell_soon(self, lock: AbstractContextManager[object], clock: Callable[[], float]) -> None:
        """Tell now; when the last news is very new, a moment later, once for all that comes until then.

        The last of a burst is told, too: what comes after it may take minutes.
        """
        wait_seconds = self.told_at + SHORTEST_NEWS_SECONDS - clock()
        if wait_seconds <= 0:
            self.tell(clock())
        elif self.late_news is None:
            # At most this long, also when somebody set the clock back.
            wait_seconds = min(wait_seconds, SHORTEST_NEWS_SECONDS)
            self.late_news = threading.Timer(wait_seconds, self._tell_late, (lock, clock))
            self.late_news.daemon = True
            self.late_news.start()

    def _tell_late(self, lock: AbstractContextManager[object], clock: Callable[[], float]) -> None:
        with lock:
            self.late_news = None
            if not self.has_ended:  # the end is the last that is told
                self.tell(clock())
