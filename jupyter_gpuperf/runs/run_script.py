"""Run a script, watch it, and say at the end what was found. The script's exit status is returned."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jupyter_gpuperf.display.document import joined
from jupyter_gpuperf.display.finding_view import finding_lines
from jupyter_gpuperf.display.run_line import run_line
from jupyter_gpuperf.display.run_view import RunView
from jupyter_gpuperf.errors import GpuPerfError, Unavailable, require_new_file
from jupyter_gpuperf.kernel_link import peer
from jupyter_gpuperf.results.files import coded_write_errors, readable_json
from jupyter_gpuperf.runs.command import name_of
from jupyter_gpuperf.runs.observed_run import ObservedRun
from jupyter_gpuperf.runs.process import environment_of, signals_passed_on, start, status_of
from jupyter_gpuperf.runs.record import record_of
from jupyter_gpuperf.runs.terminal import PlainLines, lines_for, write_text

logger = logging.getLogger(__name__)

UPDATE_SECONDS: Final = 1.0


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What the user asked for. ``save`` and ``html`` are new files; ``source`` is as ``c.GpuPerf.source``."""

    save: Path | None = None
    html: Path | None = None
    is_quiet: bool = False
    source: str = "auto"


def run_script(command: Sequence[str], options: RunOptions) -> int:
    """Run a command to its end and return its exit status.

    Raises
    ------
    BadRequest
        ``file_exists``, ``unknown_source``: before anything is started.
    Unavailable
        ``not_started``: the command can't be started, or this platform lacks Unix sockets.
    """
    if not peer.sockets_exist():
        message, hint = "Scripts can't be watched on this platform.", "Use Linux, macOS or WSL."
        raise Unavailable("not_started", message, hint)
    for path in filter(None, (options.save, options.html)):
        require_new_file(path)
    return asyncio.run(_run(command, options))


async def _run(command: Sequence[str], options: RunOptions) -> int:
    name = name_of(command)
    lines = lines_for(is_quiet=options.is_quiet)
    run = ObservedRun(name, options.source)
    began_seconds, began = time.time(), time.monotonic()
    try:
        await run.start()
        process = await start(command, environment_of(run.address, os.environ))
        with signals_passed_on(process):  # to the end: a second Ctrl-C must not lose the summary
            run.script_started(process.pid)
            with _opened(lines):
                ended = asyncio.ensure_future(process.wait())
                while not ended.done():
                    await asyncio.wait([ended], timeout=UPDATE_SECONDS)
                    await _show(run, name, lines, time.monotonic() - began)
            seconds = time.monotonic() - began
            await run.stop()
            status = status_of(ended.result())
            view = RunView(record_of(run, command, began_seconds, seconds, status), name)
            if not options.is_quiet:
                write_text(repr(view))
            _save(view, options)
            return status
    finally:
        await run.stop()


async def _show(run: ObservedRun, name: str, lines: PlainLines, seconds: float) -> None:
    try:
        for each in finding_lines(await run.update()):
            lines.write(each)
        lines.show(run_line(name, run.current_loops(), run.current_findings()), seconds)
    except Exception:  # a bug in what is shown must not end the script
        logger.exception("The state of the run could not be shown.")


@contextlib.contextmanager
def _opened(lines: PlainLines) -> Iterator[None]:
    lines.open()
    try:
        yield
    finally:
        lines.close()


def _save(view: RunView, options: RunOptions) -> None:
    """Write the files; where that fails, say so, because the exit status is the script's own."""
    for path, content in (
        (options.save, readable_json(view.data)),
        (options.html, view.page().encode()),
    ):
        if path is not None:
            try:
                with coded_write_errors(path):
                    path.write_bytes(content)
            except GpuPerfError as error:
                write_text(joined([error.message, error.hint], " "))
