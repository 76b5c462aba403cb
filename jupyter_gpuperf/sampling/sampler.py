"""Read every device once per tick in one thread, however many listeners there are."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from msgspec import Struct

from jupyter_gpuperf.sampling.history import HistoryStore
from jupyter_gpuperf.sampling.latest_frame import frame_of, latest_per_machine
from jupyter_gpuperf.sampling.requests import Requests, answer, fail
from jupyter_gpuperf.sampling.subscribers import DEVICES, Subscribers
from jupyter_gpuperf.schemas import API_VERSION, encode
from jupyter_gpuperf.schemas.processes import ListedProcesses
from jupyter_gpuperf.schemas.readings import Devices, DevicesChanged, Frame, NoDevices, Version
from jupyter_gpuperf.sources import Sample, Source
from jupyter_gpuperf.sources.local import YIELD_SECONDS
from jupyter_gpuperf.version import package_version

logger = logging.getLogger(__name__)

RETRY_SECONDS: Final = 5.0
"""Pause after an error that no source should raise."""

CLOSE_AFTER_SECONDS: Final = 30.0
"""If idle ticks are off, the source is closed after this long without a listener."""

Observer = Callable[[Frame], Struct | None]
"""Takes a frame; returns a message for all listeners, or ``None``."""

STARTING_REASON: Final = NoDevices(
    code="starting", message="Waiting for the first reading.", hint="Try again in a moment."
)
FAILED_REASON: Final = NoDevices(
    code="source_failed",
    message="The source of the readings failed before the first reading.",
    hint="See the server log.",
)
NO_DEVICES_YET: Final = Devices(devices=[], reason=STARTING_REASON)
NO_DEVICES_AFTER_ERROR: Final = Devices(devices=[], reason=FAILED_REASON)


@dataclass(eq=False)
class Sampler:
    """Reads ``source`` in its own thread.

    Parameters
    ----------
    history
        Stores the readings; ``None`` if the past is not needed.
    idle_interval_ms
        Time between ticks while nobody listens; ``None`` to read nothing then and close the source, so that a
        laptop's GPU can sleep. With listeners, their shortest interval is used.
    prepare
        Called once in the thread, before anything is read.
    observers
        Topic → function that the thread calls with each frame; what it returns is sent to all listeners.
    open_panel
        Passed on in :attr:`version`.
    wall_clock, monotonic
        Return Unix time, and a time that never jumps, in seconds.
    """

    source: Source
    history: HistoryStore | None
    subscribers: Subscribers
    idle_interval_ms: int | None
    prepare: Callable[[], None] = lambda: None
    observers: Mapping[str, Observer] = field(default_factory=dict)
    open_panel: bool = False
    wall_clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._starting = threading.Lock()
        self._started = False
        self._ticked_at = -math.inf
        self._tick_requested = False
        self._tick_requests: Requests[None] = Requests()
        self._list_requests: Requests[ListedProcesses] = Requests()
        self._thread = threading.Thread(target=self._run, name="gpuperf-sampler", daemon=True)
        self._latest_samples: list[Sample] = []
        self.latest: Frame | None = None
        """The latest frame, or ``None`` before the first tick."""
        self.devices = NO_DEVICES_YET
        """The devices, or why there are none."""
        self._kind = "starting"
        self.last_messages: dict[str, Struct] = {}
        """The last message of each observer, by topic."""
        self.subscribers.on_change = self._wake.set

    @property
    def version(self) -> Version:
        """The answer to ``GET version``."""
        return Version(
            version=package_version(),
            api_version=API_VERSION,
            source=self._kind,
            open_panel=self.open_panel,
        )

    @property
    def played_seconds(self) -> dict[str, float]:
        """UUID → how long ago its recording began, of the replayed devices in the latest frame."""
        samples = self._latest_samples
        return {uuid: seconds for each in samples for uuid, seconds in each.played_seconds.items()}

    def start(self) -> None:
        """Start the thread, unless it is running. Returns at once: the thread opens the source."""
        with self._starting:
            if not self._started and not self._stopping.is_set():
                self._started = True
                self._thread.start()

    def stop(self, timeout_seconds: float = 2.0) -> None:
        """Ask the thread to end, and wait for it only briefly, because the driver may hang."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)

    def is_fresh(self, oldest_seconds: float) -> bool:
        """Return whether there is a frame that is at most ``oldest_seconds`` old."""
        return self.latest is not None and self.monotonic() - self._ticked_at <= oldest_seconds

    def request_tick(self) -> Future[None]:
        """Request a reading of the devices now; the future is done when the latest frame is newer than the request.

        For callers that ask once instead of listening: between the ticks of an idle sampler the latest frame may be
        seconds old.
        """
        request = self._tick_requests.add()
        self._tick_requested = True
        self._wake.set()
        return request

    def wait_for_tick(self, timeout_seconds: float) -> bool:
        """Read the devices now, block until that is done, and return whether it was done in time."""
        return bool(wait([self.request_tick()], timeout_seconds).done)

    def request_processes(self) -> Future[ListedProcesses]:
        """Request a list of the processes on all devices; the sampler's thread creates it between two ticks."""
        request = self._list_requests.add()
        self._wake.set()
        return request

    def _run(self) -> None:
        self._guarded(self.prepare)
        self._guarded(self.source.open)
        due = self.monotonic()
        while not self._stopping.is_set():
            self._wake.clear()
            ticked = self._guarded(self._tick)
            if not ticked and self.latest is None:
                self._guarded(partial(self._announce_devices, NO_DEVICES_AFTER_ERROR))
            due = self._pause_until_due(due + (0.0 if ticked else RETRY_SECONDS))
        self._guarded(self.source.close)

    def _guarded(self, step: Callable[[], None]) -> bool:
        try:
            step()
        except Exception:  # the thread must survive, or the panel gets no more readings
            logger.exception("Sampling failed; trying again in %.0f s.", RETRY_SECONDS)
            return False
        return True

    def _tick(self) -> None:
        self._tick_requested = False  # before reading: later requests get the next tick
        requests = self._tick_requests.unanswered()
        began = self.monotonic()
        samples, devices = self.source.read(), self.source.devices()
        now = self.wall_clock()
        time.sleep(YIELD_SECONDS)
        for sample in samples:
            seconds = now if sample.time_seconds is None else sample.time_seconds
            if self.history is not None:
                self.history.append(frame_of([sample], seconds), now)
        time.sleep(YIELD_SECONDS)
        self._latest_samples = latest_per_machine([*self._latest_samples, *samples], devices)
        self.latest = frame = frame_of(self._latest_samples, now)
        self._announce_devices(devices)
        self._ticked_at = began
        answer(requests, None)
        self.subscribers.publish(lambda: encode(frame), began)
        for topic, observe in self.observers.items():
            self._guarded(partial(self._observe, topic, observe, frame))

    def _observe(self, topic: str, observe: Observer, frame: Frame) -> None:
        if (message := observe(frame)) is not None:
            self.last_messages[topic] = message
            self.subscribers.announce(encode(message), topic)

    def _announce_devices(self, devices: Devices) -> None:
        kind = self.source.kind
        if (devices, kind) == (self.devices, self._kind):
            return
        self.devices, self._kind = devices, kind
        reason = f": {devices.reason.message}" if devices.reason else ""
        logger.info("Sampling %d GPUs from %s%s", len(devices.devices), kind, reason)
        message = DevicesChanged(devices=devices, version=self.version)
        self.subscribers.announce(encode(message), DEVICES)

    def _pause_until_due(self, began_seconds: float) -> float:
        """Wait until the next tick is due, and return when it was due.

        The interval counts from when the last tick was due, not from when it happened: at 10 Hz, waking up a
        millisecond late each time would cost ten ticks in a thousand.
        """
        # A listener that comes or goes changes the interval, so check it again after waking.
        while not self._stopping.is_set() and not self._tick_requested:
            self._list_processes()
            interval_ms = self.subscribers.shortest_interval_ms() or self.idle_interval_ms
            if interval_ms is None:
                self._wait_without_listeners()
                break
            due = began_seconds + interval_ms / 1000
            remaining_seconds = due - self.monotonic()
            if remaining_seconds <= 0:
                # If far behind, don't make up for missed ticks.
                return due if -remaining_seconds < interval_ms / 2000 else self.monotonic()
            if self._wake.wait(remaining_seconds):
                self._wake.clear()
        return self.monotonic()

    def _list_processes(self) -> None:
        # All requests so far share one reading.
        requests = self._list_requests.unanswered()
        if not requests:
            return
        try:
            answer(requests, self.source.read_processes())
        except Exception as error:  # of any source: the callers get it, and sampling continues
            logger.exception("The processes could not be listed.")
            fail(requests, error)

    def _wait_without_listeners(self) -> None:
        # A user who looks once usually looks again, so don't close the source at once.
        if self._wake.wait(CLOSE_AFTER_SECONDS):
            self._wake.clear()
            return
        self._guarded(self.source.close)
        self._wake.wait()
        self._wake.clear()
        if not self._stopping.is_set():
            self._guarded(self.source.open)
