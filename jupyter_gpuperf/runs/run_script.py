"""Run a script, watch it, and say at the end what was found. The script's exit status is returned."""

from __future__ import annotations

import asyncio
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
from jupyter_gpuperf.errors import BadRequest, GpuPerfError, Unavailable, require_new_file
from jupyter_gpuperf.kernel_link import peer
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.messages.printable import printable
from jupyter_gpuperf.messages.translator import translated
from jupyter_gpuperf.results.files import coded_write_errors, readable_json, write_new
from jupyter_gpuperf.runs.command import name_of
from jupyter_gpuperf.runs.error_output import ErrorOutput
from jupyter_gpuperf.runs.observed_run import ObservedRun
from jupyter_gpuperf.runs.process import PassedSignals, end_as, environment_of, start, status_of
from jupyter_gpuperf.runs.record import record_of
from jupyter_gpuperf.runs.terminal import PlainLines, lines_for

logger = logging.getLogger(__name__)

UPDATE_SECONDS: Final = 1.0
RELEASE_SECONDS: Final = 0.2
"""How long Ctrl-Z waits for the terminal to get its last row back."""
READ_SECONDS: Final = 1.0
"""How long a second Ctrl-C does not end the output of the summary."""
POLL_SECONDS: Final = 0.05


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
    files = [each for each in (options.save, options.html) if each]
    for path in files:
        require_new_file(path)
    if len(set(files)) < len(files):
        message, hint = "--save and --html are the same file.", "Choose another file."
        raise BadRequest("usage", message, hint)
    # Nothing but the script's own and ours on standard error: a log line would tear the status line, and --quiet is quiet.
    logging.getLogger().addHandler(logging.NullHandler())
    return end_as(asyncio.run(_run(command, options)))


async def _run(command: Sequence[str], options: RunOptions) -> int:
    """Return the script's return code, which is negative if a signal ended it."""
    name = name_of(command)
    output = ErrorOutput()
    lines = lines_for(output, is_quiet=options.is_quiet)
    run = ObservedRun(name, options.source)
    signals = PassedSignals(before_stop=lambda: _released(lines, output))
    began_seconds, began = time.time(), time.monotonic()
    try:
        await run.start()
        async with signals.handled():  # to the end: a second Ctrl-C must not lose the summary
            process = await start(command, environment_of(run.address, os.environ))
            signals.started(process)
            run.script_started(process.pid)
            showing = asyncio.ensure_future(_show_until_cancelled(run, name, lines))
            returncode = await process.wait()
            seconds = time.monotonic() - began
            showing.cancel()
            await asyncio.wait([showing])
            lines.close()
            status = status_of(returncode)
            for each in await _summary(run, command, began_seconds, seconds, status, options):
                output.write(f"{printable(each)}\n", is_dropped=False)
            await _written(output, signals)
            return returncode
    finally:
        await run.stop()


async def _show_until_cancelled(run: ObservedRun, name: str, lines: PlainLines) -> None:
    began = time.monotonic()
    while True:
        await asyncio.sleep(UPDATE_SECONDS)
        try:
            for each in finding_lines(await run.update()):
                lines.write(each)
            seconds = time.monotonic() - began
            lines.show(run_line(name, run.current_loops(), run.current_findings()), seconds)
        except Exception:  # of a bug, or because the terminal is gone
            logger.exception("The state of the run could not be shown.")


def _released(lines: PlainLines, output: ErrorOutput) -> None:
    lines.close()
    output.wait(RELEASE_SECONDS)


async def _summary(
    run: ObservedRun,
    command: Sequence[str],
    began_seconds: float,
    seconds: float,
    status: int,
    options: RunOptions,
) -> list[str]:
    """Save the summary and return what to print. Report what fails, because the exit status is the script's own."""
    try:
        await run.stop()
        view = RunView(record_of(run, command, began_seconds, seconds, status), name_of(command))
        problems = list(_save(view, options))
        return [*([] if options.is_quiet else [repr(view)]), *problems]
    except Exception as error:
        logger.exception("The summary could not be made.")
        message = Message("The summary could not be made: {error}.", error=repr(error))
        return [translated(message)]


async def _written(output: ErrorOutput, signals: PassedSignals) -> None:
    """Wait until somebody has read what we wrote, as any program does, or until a signal ends that."""
    if output.wait(READ_SECONDS):
        return
    signals.after_end.clear()
    while not output.wait(0.0) and not signals.after_end.is_set():
        await asyncio.sleep(POLL_SECONDS)


def _save(view: RunView, options: RunOptions) -> Iterator[str]:
    """Write the files, and yield what went wrong."""
    for path, content in (
        (options.save, readable_json(view.data)),
        (options.html, view.page().encode()),
    ):
        if path is not None:
            try:
                with coded_write_errors(path):
                    write_new(path, content)
            except GpuPerfError as error:
                yield joined([error.message, error.hint], " ")
