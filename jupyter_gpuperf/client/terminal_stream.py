"""``jupyter gpuperf stream``: the readings of this machine as lines, for as long as somebody reads them."""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import queue
import signal
import sys
import threading
import time
from typing import Final

from jupyter_gpuperf.client.end_of_input import set_at_end_of_input
from jupyter_gpuperf.config import SOURCE_VARIABLE
from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.recordings.recording_format import header
from jupyter_gpuperf.sampling.sampler import Sampler
from jupyter_gpuperf.sampling.standalone import standalone_sampler
from jupyter_gpuperf.sampling.subscribers import DEVICES, FRAMES
from jupyter_gpuperf.schemas import (
    LONGEST_INTERVAL_MS,
    SHORTEST_INTERVAL_MS,
    DevicesChanged,
    RecordingRequest,
    encode,
)
from jupyter_gpuperf.sources.streams.pieces import split

MOST_WAITING: Final = 20
"""Messages that wait while the reader is slow; the oldest are dropped."""
FIRST_TICK_SECONDS: Final = 30.0
PROCESSES_SECONDS: Final = 5.0
LISTING_SECONDS: Final = 2.0
POLL_SECONDS: Final = 0.2
TASKS_VARIABLE: Final = "SLURM_STEP_NUM_TASKS"
"""The number of processes whose output ``srun`` joins."""


def stream_in_terminal(parsed: argparse.Namespace) -> int:
    """Write until standard input is closed, or a signal comes; return the exit code.

    Raises
    ------
    BadRequest
        ``parameter_out_of_range`` or ``unknown_source``.
    BrokenPipeError
        Standard output is closed: nobody reads any more.
    """
    if not SHORTEST_INTERVAL_MS <= parsed.interval_ms <= LONGEST_INTERVAL_MS:
        raise BadRequest(
            "parameter_out_of_range",
            "interval_ms = {value} is out of range.",
            "Choose {lowest} to {highest}.",
            value=parsed.interval_ms,
            lowest=SHORTEST_INTERVAL_MS,
            highest=LONGEST_INTERVAL_MS,
        )
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    set_at_end_of_input(stop)
    source = parsed.source or os.environ.get(SOURCE_VARIABLE) or "auto"
    sampler, subscribers = standalone_sampler(source)
    waiting: queue.Queue[bytes] = queue.Queue(MOST_WAITING)

    def offer(message: bytes, topic: str) -> None:
        if topic not in (FRAMES, DEVICES):
            return
        while True:  # called by the sampler, so it must never wait
            try:
                waiting.put_nowait(message)
                return
            except queue.Full:
                with contextlib.suppress(queue.Empty):
                    waiting.get_nowait()

    sampler.start()
    try:
        sampler.wait_for_tick(FIRST_TICK_SECONDS)
        request = RecordingRequest(interval_ms=parsed.interval_ms)
        host = parsed.host or os.environ.get("SLURMD_NODENAME") or platform.node()
        devices, writer = sampler.devices, _Writer(host)
        writer.begin(header(request, sampler.version, devices.devices, host=host))
        writer.write(encode(DevicesChanged(devices=devices, version=sampler.version)))
        subscribers.add(offer, parsed.interval_ms)
        _write_until(stop, waiting, sampler, writer)
    finally:
        sampler.stop()
    return 0


class _Writer:
    """Writes messages, each with the machine's name: the nodes of a job share one output."""

    def __init__(self, host: str) -> None:
        self._head = b'{"machine":' + encode(host) + b","
        # srun mixes long lines of several tasks.
        is_shared = os.environ.get(TASKS_VARIABLE, "1") != "1"
        self._tag = f"{host}-{os.getpid()}" if is_shared else ""

    def begin(self, line: bytes) -> None:
        """Write the header."""
        for each in split(line, self._tag) if self._tag else (line,):
            sys.stdout.buffer.write(each + b"\n")
        sys.stdout.buffer.flush()

    def write(self, message: bytes) -> None:
        """Write a JSON object."""
        self.begin(self._head + message[1:])


def _write_until(
    stop: threading.Event, waiting: queue.Queue[bytes], sampler: Sampler, writer: _Writer
) -> None:
    processes_at = time.monotonic()
    while not stop.is_set():
        with contextlib.suppress(queue.Empty):
            writer.write(waiting.get(timeout=POLL_SECONDS))
        if time.monotonic() >= processes_at:
            processes_at = time.monotonic() + PROCESSES_SECONDS
            try:
                listed = sampler.request_processes().result(LISTING_SECONDS)
            except TimeoutError:
                continue  # the driver hangs; the readings already show that
            writer.write(encode({"type": "processes", "devices": listed}))
