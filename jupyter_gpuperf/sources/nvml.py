"""Readings from the NVIDIA driver: the only place that imports pynvml.

What its errors mean is in ``nvml_errors.py``, which devices there are in ``nvml_devices.py``, and what
metrics may call in ``driver_calls.py``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import msgspec

from jupyter_gpuperf.metrics import Metric
from jupyter_gpuperf.schemas import (
    DeviceInfo,
    Devices,
    DeviceState,
    ListedProcess,
    ListedProcesses,
    MissingReason,
    Readings,
)
from jupyter_gpuperf.sources import nvml_errors
from jupyter_gpuperf.sources.device_thread import PATIENCE_SECONDS, DeviceThread, Late
from jupyter_gpuperf.sources.local import LocalSource
from jupyter_gpuperf.sources.nvml_device import NvmlDevice
from jupyter_gpuperf.sources.nvml_devices import find_devices
from jupyter_gpuperf.sources.nvml_processes import processes_of
from jupyter_gpuperf.sources.protocol import Scheme
from jupyter_gpuperf.sources.xid import XidWatch

logger = logging.getLogger(__name__)

OPEN_SECONDS: Final = 5.0
"""How long a tick waits for the driver's library to open; it goes on opening in its thread."""

HANG_SECONDS: Final = 2.0
"""A device that is late keeps its last readings for so long, then it is said not to answer."""

PROCESSES_SECONDS: Final = 1.0
"""How long a list of processes is waited for."""


class NvmlDriver:
    """All devices of the NVIDIA driver.

    Each device is read in a thread of its own, so that a call that hangs in the driver holds up
    that device alone; opening the library, which hangs on some machines, has a thread too.

    Parameters
    ----------
    metrics
        What to read.
    load
        Returns the pynvml module, or a stand-in for it.
    """

    kind = "nvml"

    def __init__(
        self,
        metrics: tuple[Metric, ...],
        load: Callable[[], Any] | None = None,
        clock: Callable[[], float] = time.monotonic,
        open_seconds: float = OPEN_SECONDS,
    ) -> None:
        self._metrics = tuple(metric for metric in metrics if metric.scope == "device")
        self._clock = clock
        self._open_seconds = open_seconds
        self._load = load or _load_pynvml
        self._nvml: Any = None
        self._library: DeviceThread | None = None
        self._xid: XidWatch | None = None
        self._open: dict[str, NvmlDevice] = {}
        self._threads: dict[str, DeviceThread] = {}
        self._readings: dict[str, Readings] = {}
        self._devices = Devices(devices=[], reason=nvml_errors.NOT_ASKED)
        self._known: dict[str, DeviceInfo] = {}
        self._lost: dict[str, Readings] = {}

    def open(self) -> None:
        """Initialise the driver's library and list the devices."""
        if self._library is None:
            self._library = DeviceThread("nvml", self._clock)
        self._lost = {}
        self._library.begin(self._connect)
        self._await_library(self._open_seconds)

    def devices(self) -> Devices:
        """Return the devices found by :meth:`open` and how they are, or why there are none."""
        return self._devices

    def read(self) -> dict[str, Readings]:
        """Read every metric of every device once."""
        if self._library is not None and self._devices.reason is nvml_errors.NOT_ANSWERING:
            self._await_library(0.0)
        for uuid, device in self._open.items():
            self._threads[uuid].begin(device.read)
        deadline = self._clock() + PATIENCE_SECONDS
        for uuid in self._open:
            self._take(uuid, deadline)
        self._note_states()
        return {**self._readings, **self._lost}

    def read_processes(self) -> ListedProcesses:
        """Return the processes on each device."""
        began = {
            uuid: self._threads[uuid].begin(partial(processes_of, self._nvml, device.found.handle))
            for uuid, device in self._open.items()
        }
        return {uuid: self._processes(uuid, begun=begun) for uuid, begun in began.items()}

    def close(self) -> None:
        """Release the driver's library; what hangs in it is left behind."""
        ended = [thread.close() for thread in self._threads.values()]
        opened = bool(self._open)
        for device in self._open.values():
            if all(ended):
                device.close()
        self._open, self._threads, self._readings = {}, {}, {}
        if self._xid is not None:
            self._xid.close()
            self._xid = None
        if opened and all(ended):
            try:
                self._nvml.nvmlShutdown()
            except self._nvml.NVMLError as error:
                logger.debug("NVML did not shut down cleanly: %s", error)
        if self._library is not None:
            self._library.close()
            self._library = None

    def _connect(self) -> dict[str, NvmlDevice]:
        self._nvml = nvml = self._load()
        nvml.nvmlInit()
        found = {each.info.uuid: each for each in find_devices(nvml)}
        self._xid = XidWatch(
            nvml, {uuid: each.handle for uuid, each in found.items() if not each.info.parent_uuid}
        )
        opened = {
            uuid: NvmlDevice(nvml, each, self._metrics, xid=self._xid, clock=self._clock)
            for uuid, each in found.items()
        }
        for device in opened.values():
            device.read()  # the limits, for the description
        return opened

    def _await_library(self, timeout_seconds: float) -> None:
        assert self._library is not None
        try:
            self._open = self._library.answer(timeout_seconds)
        except Late:
            self._devices = Devices(devices=[], reason=nvml_errors.NOT_ANSWERING)
            return
        except Exception as error:  # noqa: BLE001  (the driver's; told to the user as a reason)
            reason = nvml_errors.why_no_devices(error)
            if reason.code == "driver_error":
                logger.warning("NVML could not be opened: %s", error)
            self._devices = Devices(devices=[], reason=reason)
            return
        self._threads = {
            uuid: DeviceThread(f"nvml-{device.found.info.index}", self._clock)
            for uuid, device in self._open.items()
        }
        infos = [device.info() for device in self._open.values()]
        infos += self._lost_since({info.uuid for info in infos})
        self._known = {info.uuid: info for info in infos}
        self._devices = Devices(devices=infos, reason=None if infos else nvml_errors.NO_GPU)

    def _lost_since(self, found: set[str]) -> list[DeviceInfo]:
        # A device that fell off the bus is not listed any more: the user must see that it is gone.
        # An instance that is not there any more was taken apart on purpose.
        gone = [
            msgspec.structs.replace(info, state="device_lost")
            for uuid, info in self._known.items()
            if uuid not in found and info.parent_uuid is None
        ]
        self._lost = {info.uuid: self._all("device_lost") for info in gone}
        return gone

    def _take(self, uuid: str, deadline: float) -> None:
        thread = self._threads[uuid]
        hangs = thread.busy_seconds > PATIENCE_SECONDS
        try:
            answer = thread.answer(0.0 if hangs else max(0.0, deadline - self._clock()))
            if isinstance(answer, dict):  # not a list of processes that came late
                self._readings[uuid] = answer
        except Late:
            if uuid not in self._readings or thread.busy_seconds > HANG_SECONDS:
                self._readings[uuid] = self._all("not_answering")
        except Exception:
            logger.exception("%s could not be read.", uuid)
            self._readings[uuid] = self._all("driver_error")

    def _all(self, reason: MissingReason) -> Readings:
        return dict.fromkeys((metric.name for metric in self._metrics), reason)

    def _processes(self, uuid: str, *, begun: bool) -> list[ListedProcess] | MissingReason:
        if not begun:
            return "not_answering"
        try:
            listed: list[ListedProcess] = self._threads[uuid].answer(PROCESSES_SECONDS)
        except Late:
            return "not_answering"
        except Exception as error:  # noqa: BLE001  (the driver's; told to the user as a reason)
            return nvml_errors.missing_reason(error)
        return listed

    def _note_states(self) -> None:
        infos = [
            msgspec.structs.replace(info, state=_state_of(self._readings[info.uuid]))
            if info.uuid in self._readings
            else info
            for info in self._devices.devices
        ]
        for info, before in zip(infos, self._devices.devices, strict=True):
            if info.state != before.state:
                logger.warning("%s: %s", info.uuid, info.state)
        self._devices = Devices(devices=infos, reason=self._devices.reason)


def _state_of(readings: Readings) -> DeviceState:
    values = set(readings.values())
    if values == {"not_answering"}:
        return "not_answering"
    return "device_lost" if values == {"device_lost"} else "ok"


def _load_pynvml() -> Any:
    import pynvml

    if not hasattr(pynvml, "nvmlDeviceGetCurrentClocksEventReasons"):
        raise ImportError(f"{pynvml.__file__} is another or an old module of the name pynvml")
    return pynvml


SCHEME: Final = Scheme(
    name="nvml", form="nvml", make=lambda _, metrics: LocalSource(NvmlDriver(metrics), metrics)
)
