"""Show a running job: widgets in a notebook, otherwise updating HTML or a line of text."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final, TextIO

from jupyter_gpuperf.display.blocks import Line, Progress, padded
from jupyter_gpuperf.display.clicks import click_watch
from jupyter_gpuperf.display.document import html_of, joined
from jupyter_gpuperf.display.numbers import format_elapsed
from jupyter_gpuperf.display.shell import running_shell
from jupyter_gpuperf.jobs.job import ENDED
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.messages.columns import text_width
from jupyter_gpuperf.messages.translator import translated
from jupyter_gpuperf.schemas import JobInfo

STATES: Final = {"done": "done", "failed": "failed", "cancelled": "cancelled"}


class ProgressView:
    """The base view. It shows no progress; scripts without a terminal use it unchanged."""

    def show(self, job: JobInfo) -> None:
        """Show the job's current state."""

    def cancel_wanted(self) -> bool:
        """Return whether the user requested cancellation by other means than an interrupt."""
        return False

    def end(self, final: object | None, status: str) -> None:
        """Replace the view with ``final``, or with ``status`` if there is nothing to show."""
        if final is not None:
            from IPython.display import display

            display(final)


def format_status(job: JobInfo, now_seconds: float) -> str:
    """Return a status line in the reader's language: ``dataloader · 40 % · measuring, round 3 of 8 · 12 s``."""
    started = now_seconds if job.started_seconds is None else job.started_seconds
    ended = started if job.ended_seconds is None else job.ended_seconds
    if job.state in ENDED:
        elapsed = format_elapsed(ended - started) if ended - started >= 1 else ""
        return joined([job.benchmark, Message(STATES[job.state]), elapsed])
    if job.state == "queued":
        waited = format_elapsed(max(0.0, now_seconds - job.created_seconds))
        return joined([job.benchmark, job.progress_message or Message("in the queue"), waited])
    elapsed = format_elapsed(max(0.0, now_seconds - started))
    parts = [job.benchmark, f"{100 * job.progress_ratio:.0f} %", job.progress_message, elapsed]
    if job.remaining_seconds is not None and job.remaining_seconds >= 1:
        parts.append(Message("up to {time} left", time=format_elapsed(job.remaining_seconds)))
    return joined(parts)


class TextView(ProgressView):
    """One terminal line that is overwritten in place."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.time) -> None:
        self._stream = stream
        self._clock = clock
        self._width = 0

    def show(self, job: JobInfo) -> None:
        """Rewrite the line."""
        line = joined([format_status(job, self._clock()), Message("Ctrl+C cancels")])
        self._stream.write(f"\r{padded(line, self._width)}")
        self._stream.flush()
        self._width = text_width(line)

    def end(self, final: object | None, status: str) -> None:
        """Clear the line, and display ``final``."""
        self._stream.write(f"\r{padded('', self._width)}\r")
        self._stream.flush()
        super().end(final, status)


class OutputView(ProgressView):
    """One output of the cell that is updated in place: first the progress, at the end the result."""

    _output: Any = None

    def end(self, final: object | None, status: str) -> None:
        """Replace the progress with ``final``, or with ``status`` if there is nothing to show."""
        if final is not None:
            self._replace(final)
        else:
            self._replace_by(status, html_of([Line(status, "quiet")]))

    def _replace_by(self, text: str, drawn: str) -> None:
        self._replace({"text/plain": text, "text/html": drawn}, raw=True)

    def _replace(self, content: object, *, raw: bool = False) -> None:
        from IPython.display import display

        if self._output is None:
            self._output = display(content, raw=raw, display_id=True)
        else:
            self._output.update(content, raw=raw)


class HtmlView(OutputView):
    """Progress as HTML; the user interrupts the cell to cancel."""

    def show(self, job: JobInfo) -> None:
        """Draw the text and the bar."""
        hint = Message("interrupt the cell to cancel")
        status = joined([format_status(job, time.time()), hint])
        self._replace_by(status, progress_html(status, job.progress_ratio))


class WidgetView(OutputView):
    """A progress bar with a cancel button that also works while the cell runs."""

    def __init__(self, widgets: Any) -> None:
        self._clicked = threading.Event()
        self._status = widgets.Label()
        narrow = widgets.Layout(width="14em", height="12px")
        self._bar = widgets.FloatProgress(min=0.0, max=1.0, layout=narrow)
        self._button = widgets.Button(
            description=translated(Message("Cancel")),
            tooltip=translated(Message("Cancel the benchmark, like interrupting the cell")),
            layout=widgets.Layout(width="auto"),
        )
        self._button.on_click(lambda _button: self._clicked.set())
        self._box = widgets.HBox(
            [self._button, self._bar, self._status], layout=widgets.Layout(align_items="center")
        )
        self._watch = click_watch(self._button.comm.comm_id)
        self._replace(self._box)

    def show(self, job: JobInfo) -> None:
        """Update the bar and the text."""
        self._bar.value = job.progress_ratio
        self._status.value = format_status(job, time.time())

    def cancel_wanted(self) -> bool:
        """Return whether the button was clicked: the callback ran, or the click is in the kernel's queue."""
        if self._watch is not None and self._watch.clicked():
            self._clicked.set()
        if self._clicked.is_set() and not self._button.disabled:
            self._button.disabled = True
            self._button.description = translated(Message("Cancelling"))
        return self._clicked.is_set()

    def end(self, final: object | None, status: str) -> None:
        """Replace the widgets, and put the messages that are not clicks back into the kernel's queue."""
        super().end(final, status)
        if self._watch is not None:
            self._watch.close()
        for widget in (self._box, self._button, self._bar, self._status):
            widget.close()


def progress_html(status: str, ratio: float) -> str:
    """Return one line of text and a progress bar as HTML."""
    return html_of([Line(status), Progress(ratio)])


def best_view() -> ProgressView:
    """Return the best view for the current environment."""
    if getattr(running_shell(), "kernel", None) is None:
        return terminal_view()
    with contextlib.suppress(Exception):  # kernels other than ipykernel may lack what widgets need
        import ipywidgets

        return WidgetView(ipywidgets)
    return HtmlView()


def terminal_view(stream: TextIO | None = None) -> ProgressView:
    """Return a text view for a terminal, otherwise a view that shows nothing."""
    stream = sys.stderr if stream is None else stream
    return TextView(stream) if stream.isatty() else ProgressView()
