"""Errors raised by the magics, shown as a few lines instead of a long traceback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.messages.printable import printable
from jupyter_gpuperf.messages.translator import translated
from jupyter_gpuperf.schemas import JobInfo

LOG_TAIL_LINES: Final = 12
EXPLAINED_BY_THE_LOG: Final = (
    *("benchmark_failed", "worker_died", "worker_protocol", "worker_start_failed"),
    *("deadline_exceeded", "out_of_memory"),
)
"""Codes of errors shown with the end of the log. Other errors explain themselves; a log full of a library's
warnings would only hide their message."""
RED, RESET = "\x1b[31m", "\x1b[0m"


class BenchmarkError(GpuPerfError):
    """A benchmark gave no result. IPython shows only the message, the hint and the end of the log."""

    def __init__(self, code: str, message: str, hint: str = "", log_tail: str = "") -> None:
        super().__init__(code, message, hint)
        self.log_tail = log_tail

    @classmethod
    def of(cls, error: GpuPerfError) -> BenchmarkError:
        """Return ``error`` as a ``BenchmarkError``, which IPython shows in short form."""
        return error if isinstance(error, BenchmarkError) else cls.from_dict(error.to_dict())

    @classmethod
    def of_job(cls, job: JobInfo) -> BenchmarkError:
        """Return the error of a failed job."""
        if job.error is None:
            message = Message("{benchmark} ended without a result.", benchmark=job.benchmark)
            return cls("no_result", message, hint="Run it again.", log_tail=job.log_tail)
        log_tail = job.log_tail if job.error.code in EXPLAINED_BY_THE_LOG else ""
        return cls(job.error.code, job.error.message, job.error.hint, log_tail)

    def __str__(self) -> str:
        return "\n".join(self.lines(str))

    def lines(self, translate: Callable[[str], str] = translated) -> list[str]:
        """Return the message, the hint, and the end of the worker's log."""
        lines = [translate(text) for text in (self.message, self.hint) if text]
        if log := self.log_tail.strip().splitlines()[-LOG_TAIL_LINES:]:
            title = translate(Message("The end of the worker's log:"))
            lines += ["", title, *(f"  {line}" for line in log)]
        return [printable(line) for line in lines]

    def _render_traceback_(self) -> list[str]:
        """IPython's hook for exceptions that render themselves."""
        first, *rest = self.lines()
        return [f"{RED}{self.code}{RESET}  {first}", *rest]


class BenchmarkCancelled(BenchmarkError):
    """The user cancelled. This is an exception so that the code that follows does not run without the result."""

    def __init__(self, benchmark: str) -> None:
        message = "{benchmark} was cancelled; nothing is left running."
        super().__init__("cancelled", Message(message, benchmark=benchmark))

    def _render_traceback_(self) -> list[str]:
        return self.lines()


@contextmanager
def shortened_errors() -> Iterator[None]:
    """Convert a ``GpuPerfError`` to a ``BenchmarkError``, which IPython shows in short form; also a decorator."""
    try:
        yield
    except GpuPerfError as error:
        raise BenchmarkError.of(error) from None
