"""Record in the calling process: for the command line, which has no server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from jupyter_gpuperf.errors import Unavailable, require_new_file
from jupyter_gpuperf.recorder.recorder import Recorder
from jupyter_gpuperf.recorder.store import start_recorder
from jupyter_gpuperf.sampling.sampler import Observer, Sampler
from jupyter_gpuperf.sampling.standalone import standalone_sampler
from jupyter_gpuperf.schemas import RecordingRequest

FIRST_TICK_SECONDS: Final = 30.0
POLL_SECONDS: Final = 0.1


def record_in_process(
    path: Path,
    request: RecordingRequest,
    *,
    source: str,
    stopping: Callable[[], bool],
    started: Callable[[Recorder], None] = lambda _recorder: None,
    observers: Mapping[str, Observer] | None = None,
) -> Recorder:
    """Record into ``path`` until the requested time is over or ``stopping`` returns true; return the recorder.

    Parameters
    ----------
    source
        As ``c.GpuPerf.source``.
    started
        Called once, when recording has begun.
    observers
        As for :class:`Sampler`; the messages that they return are recorded, too.

    Raises
    ------
    BadRequest
        ``file_exists``, ``unknown_source``, ``parameter_out_of_range``.
    Unavailable
        There is no GPU (with the driver's reason as its code), or the file can't be written.
    """
    require_new_file(path)
    sampler, subscribers = standalone_sampler(source, observers)
    sampler.start()
    try:
        _expect_devices(sampler)
        recorder = start_recorder(path, request, sampler=sampler, subscribers=subscribers)
        started(recorder)
        try:
            while not recorder.wait(POLL_SECONDS) and not stopping():
                pass
        finally:  # also when interrupted, so that the recording is complete
            recorder.stop()
    finally:
        sampler.stop()
    return recorder


def _expect_devices(sampler: Sampler) -> None:
    if not sampler.wait_for_tick(FIRST_TICK_SECONDS):
        raise Unavailable(
            "not_answering",
            "The driver did not respond within {seconds:.0f} s.",
            "Check whether nvidia-smi responds in a terminal.",
            seconds=FIRST_TICK_SECONDS,
        )
    reason = sampler.devices.reason
    if reason is not None:
        raise Unavailable(reason.code, reason.message, reason.hint)
