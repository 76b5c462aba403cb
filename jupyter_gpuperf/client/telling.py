"""Tells this kernel's server of a job that runs right here, so that the panel shows it, and can cancel it."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from jupyter_gpuperf.client.running import runtime_directories
from jupyter_gpuperf.display.progress import View
from jupyter_gpuperf.jobs.run_hooks import Finished
from jupyter_gpuperf.jobs.told import Told
from jupyter_gpuperf.kernel_link.client import CONNECT_SECONDS, find_server
from jupyter_gpuperf.schemas import BenchmarkResult, ErrorInfo, Interval, JobInfo, Scalar, encode

TELL_SECONDS: Final = 0.3
LONGEST_CODE_CHARACTERS: Final = 8000
"""With up to four bytes each, they leave half of the server's longest line to the rest."""


class PanelTeller:
    """A connection to the server; without one, or when it fails, nothing is told and nothing goes wrong."""

    def __init__(
        self, find: Callable[[], Path | None] = lambda: find_server(runtime_directories())
    ) -> None:
        self._connection: socket.socket | None = None
        self._told_at = 0.0
        self._asked = False
        with contextlib.suppress(OSError):
            if (address := find()) is not None:
                self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                self._connection.settimeout(CONNECT_SECONDS)
                self._connection.connect(str(address))

    def tell(self, job: JobInfo, *, always: bool = False) -> None:
        """Send the job as it is now, but not too often."""
        if self._connection is None or (
            not always and time.monotonic() - self._told_at < TELL_SECONDS
        ):
            return
        self._told_at = time.monotonic()
        try:
            self._connection.sendall(encode(Told(job=job)) + b"\n")
        except OSError:
            self.close()

    def cancel_wanted(self) -> bool:
        """Tell whether the panel asked to stop: nothing else is ever sent here."""
        if self._connection is not None and not self._asked:
            self._connection.setblocking(False)
            try:
                self._asked = bool(self._connection.recv(1 << 12))
                if not self._asked:  # the server is gone
                    self.close()
            except BlockingIOError:
                pass
            except OSError:
                self.close()
            if self._connection is not None:
                self._connection.settimeout(CONNECT_SECONDS)
        return self._asked

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class ToldView:
    """A view that the panel sees, too: with the trials so far as figures of its result."""

    def __init__(self, view: View, teller: PanelTeller, parameters: Mapping[str, Scalar]) -> None:
        self._view, self._teller, self._parameters = view, teller, dict(parameters)
        self._figures: dict[str, Interval] = {}

    def show(self, job: JobInfo) -> None:
        """Show it on both sides."""
        self._view.show(job)
        self._teller.tell(self._with_result(job, self._partial(job)))

    def cancel_wanted(self) -> bool:
        """Tell whether it was cancelled on either side."""
        return self._view.cancel_wanted() or self._teller.cancel_wanted()

    def add(self, setting: str, rate: Mapping[str, float] | None) -> None:
        """Take a trial."""
        if rate is not None:
            self._figures[f"{setting}_batches_per_second"] = Interval(**rate)

    def end(self, final: object | None, words: str) -> None:
        """End the notebook's view."""
        self._view.end(final, words)

    def tell_end(self, job: JobInfo, finished: Finished | None, failure: ErrorInfo | None) -> None:
        """Tell the panel how it ended, and hang up."""
        if failure is not None:
            job = msgspec.structs.replace(job, state="failed", error=failure)
        short = None
        if finished is not None:
            job = msgspec.structs.replace(job, result_id=finished.number)
            short = for_the_panel(finished.result)
        self._teller.tell(self._with_result(job, short), always=True)
        self._teller.close()

    def _with_result(self, job: JobInfo, result: BenchmarkResult | None) -> JobInfo:
        return msgspec.structs.replace(job, parameters=self._parameters, result=result)

    def _partial(self, job: JobInfo) -> BenchmarkResult | None:
        if not self._figures:
            return None
        return BenchmarkResult(
            benchmark=job.benchmark,
            parameters=self._parameters,
            unit="seconds",
            figures=dict(self._figures),
            samples={},
            environment={},
            limits={},
            warnings=[],
        )


def for_the_panel(result: BenchmarkResult) -> BenchmarkResult:
    """Return a result short enough for a line: the kept one has all of it."""
    environment: dict[str, Any] = {
        name: value for name, value in result.environment.items() if name != "tuning"
    }
    short = msgspec.structs.replace(result, samples={}, environment=environment)
    if short.precision is not None and len(short.precision.code) > LONGEST_CODE_CHARACTERS:
        without = msgspec.structs.replace(short.precision, code="")
        return msgspec.structs.replace(short, precision=without)
    return short
