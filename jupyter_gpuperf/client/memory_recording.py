"""``%gpumem record``: record a cell, or the next steps of a watched loop, and show the memory by owner over time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, Final

from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display

from jupyter_gpuperf.client.watch_session import session
from jupyter_gpuperf.device_memory.notebook import Notebook
from jupyter_gpuperf.device_memory.recording import Recording
from jupyter_gpuperf.device_memory.report import device_of, loaded_torch
from jupyter_gpuperf.display.document import Sentence
from jupyter_gpuperf.display.timeline_view import TimelineView
from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.loops import LoopWatch
from jupyter_gpuperf.messages import Message

logger = logging.getLogger(__name__)

DEFAULT_NAME: Final = "gpumem"
MOST_STEPS: Final = 50


def record_cell(shell: InteractiveShell, cell: str, file: Path | None) -> TimelineView:
    """Run a cell, and return the memory over time; an error in the cell is shown, and ends the recording."""
    recording = _recording(shell, file)
    recording.begin()
    try:
        shell.run_cell(cell)
    finally:
        timeline = recording.end()
    return TimelineView(timeline)


def record_next_steps(shell: InteractiveShell, steps: int, file: Path | None) -> None:
    """Record the next steps of a watched loop, and show the memory over time below the cell that runs it.

    Raises
    ------
    BadRequest
        ``nothing_watched``, ``already_profiled`` or ``parameter_out_of_range``; see :class:`Recording`, too.
    """
    watching = session().watching
    recording = _recording(shell, file)
    if not 1 <= steps <= MOST_STEPS:
        message, hint = "steps = {steps} is out of range.", "Choose from 1 to {most}."
        raise BadRequest("parameter_out_of_range", message, hint, steps=steps, most=MOST_STEPS)
    if not watching.patch.applied:
        message = "No torch loop is watched, so there are no steps to record."
        hint = "Run %gpuwatch on first, or record a cell with %%gpumem record."
        raise BadRequest("nothing_watched", message, hint)
    if watching.observer is not None:
        message = "The next steps will already be profiled or recorded."
        raise BadRequest("already_profiled", message, "Run the loop, then try again.")
    LoopRecording(shell, watching, recording, steps).start()


def _recording(shell: InteractiveShell, file: Path | None) -> Recording:
    torch = loaded_torch()
    if torch is None or not torch.cuda.is_available():
        message = "Recording allocations needs a GPU, and torch to be imported."
        raise BadRequest("no_gpu", message, "%gpumem shows who holds the CPU's memory.")
    torch.cuda.init()
    return Recording(torch, Notebook(shell), device_of(torch, None), file or _free_name())


def _free_name() -> Path:
    names = (
        Path(f"{DEFAULT_NAME}{'' if number == 1 else f'-{number}'}.pickle") for number in count(1)
    )
    return next(each for each in names if not each.exists())


class LoopRecording:
    """Counts the steps of the next loop, and ends with them, or with the cell; see :class:`StepObserver`."""

    def __init__(
        self, shell: InteractiveShell, watching: LoopWatch, recording: Recording, steps: int
    ) -> None:
        self._shell, self._watching, self._recording = shell, watching, recording
        self._steps_left = steps
        self._owner: Any = None
        self._is_recording = False

    def start(self) -> None:
        """Record from the next step on."""
        self._watching.observe(self)
        self._shell.events.register("post_run_cell", self._after_cell)

    def draw(self, iterator: Any, original: Callable[[Any], Any]) -> Any:
        """Return the iterator's next batch; the loop continues whatever happens to the recording."""
        if self._owner is None:
            self._owner = iterator
        if self._owner is not iterator:
            return original(iterator)
        self._guarded(self._begin_or_end)
        began_seconds = time.time()
        try:
            batch = original(iterator)
        except BaseException:
            self._owner = None  # the steps that are missing are in the next epoch
            raise
        if self._is_recording:
            self._steps_left -= 1
            self._recording.steps_seconds.append(began_seconds)
        return batch

    def step_ended(self, optimizer: Any) -> None:
        """Begin the next step of a loop without a loader."""
        if self._owner is None:
            self._owner = optimizer
        if self._owner is not optimizer:
            return
        self._guarded(self._begin_or_end)
        if self._is_recording:
            self._steps_left -= 1
            self._recording.steps_seconds.append(time.time())

    def cell_ended(self) -> None:
        """Do nothing: the recording ends after the line about the cell, when it can be displayed."""

    def _begin_or_end(self) -> None:
        if not self._is_recording:
            self._is_recording = True
            self._recording.begin()
        elif not self._steps_left:
            self._end()

    def _after_cell(self, _result: object = None) -> None:
        if self._is_recording:
            self._guarded(self._end)

    def _end(self) -> None:
        self._forget()
        display(TimelineView(self._recording.end()))

    def _forget(self) -> None:
        self._is_recording = False
        if self._watching.observer is self:
            self._watching.observe(None)
        if self._after_cell in self._shell.events.callbacks["post_run_cell"]:
            self._shell.events.unregister("post_run_cell", self._after_cell)

    def _guarded(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:  # such as a file that can't be written: the loop must continue
            logger.debug("Allocations could not be recorded.", exc_info=True)
            self._forget()
            self._recording.stop()
            reason = f"{type(error).__name__}: {error}"
            display(Sentence(Message("Could not record: {reason}.", reason=reason)))
