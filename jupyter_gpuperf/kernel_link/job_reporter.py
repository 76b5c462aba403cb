"""Report a job that runs in this kernel to the server, so that the panel can show and cancel it."""

from __future__ import annotations

import time
from typing import Final

from jupyter_gpuperf.kernel_link.link import SEND_SECONDS, ServerLink
from jupyter_gpuperf.schemas import JobInfo
from jupyter_gpuperf.schemas.kernel_link import Cancel, JobReport

REPORT_SECONDS: Final = 0.3
"""Minimum time between two reports."""


class JobReporter:
    """Reports one job. If there is no server, or it disconnects, reports are dropped without an error.

    When the connection closes and the job's end was not reported, the panel shows the job as ended.
    """

    def __init__(self, link: ServerLink | None = None) -> None:
        self._link = link or ServerLink()
        self._reported_at = 0.0
        self._cancel_wanted = False

    def report(self, job: JobInfo, *, at_once: bool = False) -> None:
        """Report the job's current state, at most every 0.3 s unless ``at_once``. This never waits for the server."""
        if at_once or time.monotonic() - self._reported_at >= REPORT_SECONDS:
            self._reported_at = time.monotonic()
            self._link.send(JobReport(job=job))

    def cancel_wanted(self) -> bool:
        """Return whether the user has cancelled the job in the panel."""
        self._cancel_wanted |= any(isinstance(each, Cancel) for each in self._link.receive())
        return self._cancel_wanted

    def end(self, job: JobInfo) -> None:
        """Report the job's final state, and disconnect."""
        self._link.send(JobReport(job=job), SEND_SECONDS)
        self._link.close()
