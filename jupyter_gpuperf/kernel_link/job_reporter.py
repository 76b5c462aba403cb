"""Reports a job that runs in this kernel, as a tuning, to the server: the panel shows it, and can cancel it."""

from __future__ import annotations

import time
from typing import Final

from jupyter_gpuperf.kernel_link.link import SEND_SECONDS, ServerLink
from jupyter_gpuperf.schemas import JobInfo
from jupyter_gpuperf.schemas.kernel_link import Cancel, JobReport

REPORT_SECONDS: Final = 0.3


class JobReporter:
    """Reports one job. Without a server, or when it goes, nothing is reported and nothing goes wrong.

    Hanging up ends the job in the panel, where no report has said that it ended.
    """

    def __init__(self, link: ServerLink | None = None) -> None:
        self._link = link or ServerLink()
        self._reported_at = 0.0
        self._cancel_wanted = False

    def report(self, job: JobInfo) -> None:
        """Report the job as it is now, but not too often; what measures never waits for the server."""
        if time.monotonic() - self._reported_at >= REPORT_SECONDS:
            self._reported_at = time.monotonic()
            self._link.send(JobReport(job=job))

    def cancel_wanted(self) -> bool:
        """Tell whether the panel asked to stop."""
        self._cancel_wanted |= any(isinstance(each, Cancel) for each in self._link.receive())
        return self._cancel_wanted

    def end(self, job: JobInfo) -> None:
        """Report how it ended, and hang up."""
        self._link.send(JobReport(job=job), SEND_SECONDS)
        self._link.close()
