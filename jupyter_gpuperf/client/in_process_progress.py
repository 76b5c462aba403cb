"""Progress of what runs in the notebook's own process, in the view of a job."""

from __future__ import annotations

import time

import msgspec

from jupyter_gpuperf.display.progress import View, status_words
from jupyter_gpuperf.jobs.job import new_job
from jupyter_gpuperf.schemas import JobInfo


class Cancelled(BaseException):  # data sets that catch every Exception and try again are common
    """The button was clicked."""


class ProgressHere:
    """Shows how far it is in the view of a job, and looks there for a click."""

    def __init__(self, name: str, view: View) -> None:
        self._view = view
        now = time.time()
        self._job = new_job(name, {}, created_seconds=now, started_seconds=now, state="running")

    def say(self, ratio: float, message: str) -> None:
        """Show it.

        Raises
        ------
        Cancelled
            The button was clicked.
        """
        self._job = msgspec.structs.replace(
            self._job, progress_ratio=min(max(ratio, 0.0), 1.0), progress_message=message
        )
        self._view.show(self._job)
        if self._view.cancel_wanted():
            raise Cancelled

    def ended(self, done: bool) -> JobInfo:
        """Return the job as it ended."""
        return msgspec.structs.replace(
            self._job, state="done" if done else "cancelled", ended_seconds=time.time()
        )

    def last_words(self, done: bool) -> str:
        """Return how it ended."""
        return status_words(self.ended(done), time.time())
