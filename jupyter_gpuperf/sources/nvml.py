"""Read the NVIDIA driver. Only this module imports pynvml.

``nvml_errors.py`` translates the driver's errors, ``nvml_devices.py`` lists its devices, and ``nvml_device.py`` reads
one of them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec.structs import replace

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
from jupyter_gpuperf.sources.device_thread import PATIENCE_SECONDS, DeviceNotAnswering, DeviceThread
from jupyter_gpuperf.sources.local import LocalSource
from jupyter_gpuperf.sources.nvml_device import NvmlDevice
from jupyter_gpuperf.sources.nvml_devices import find_devices
from jupyter_gpuperf.sources.protocol import Scheme
from jupyter_gpuperf.sources.xid import XidWatch

logger = logging.getLogger(__name__)

OPEN_SECONDS: Final = 5.0
"""How long to wait for the driver's library to open. After that, opening continues in its own thread."""

HANG_SECONDS: Final = 2.0
"""How long a device that does not answer keeps its last readings before it is reported as not answering."""

PROCESSES_SECONDS: Final = 1.0
"""How long to wait for a device's list of processes."""


def _load_pynvml() -> Any:
    import pynvml

    if not hasattr(pynvml, "nvmlDeviceGetCurrentClocksEventReasons"):
        raise ImportError(f"{pynvml.__file__} is an old or different module named pynvml")
    return pynvml


class NvmlDriver:
    """Reads all devices of the NVIDIA driver.

    Each device is read in its own thread, so that a call that hangs in the driver blocks only that device. The library
    is opened in a thread, too, because opening it hangs on some machines.

    Parameters
    ----------
    metrics
        All metrics; those of the host are ignored.
    load
        Function that returns the pynvml module, or a stand-in for it.
    """

    kind = "nvml"

    def __init__(
        self,
        metrics: tuple[Metric, ...],
        load: Callable[[], Any] = _load_pynvml,
        clock: Callable[[], float] = time.monotonic,
        open_seconds: float = OPEN_SECONDS,
    ) -> None:
        self._metrics = tuple(metric for metric in metrics if metric.scope == "device")
        self._load, self._clock, self._open_seconds = load, clock, open_seconds
        self._nvml: Any = None
        self._library: DeviceThread | None = None
        self._xid: XidWatch | None = None
        self._opened: dict[str, NvmlDevice] = {}
        self._readings: dict[str, Readings] = {}
        self._devices = Devices(devices=[], reason=nvml_errors.STARTING)
        self._known_infos: list[DeviceInfo] = []

    def open(self) -> None:
        """Open the driver's library and list the devices. If opening takes long, it continues in its thread."""
        self._library = self._library or DeviceThread("nvml", self._clock)
        self._library.begin(self._connect)
        self._await_library(self._library, self._open_seconds)

    def devices(self) -> Devices:
        """Return the devices that :meth:`open` found, with their current states; or why there are none."""
        return self._devices

    def read(self) -> dict[str, Readings]:
        """Read every device once: UUID → readings. Devices that were lost have a reason instead of each value."""
        if self._library and self._devices.reason is nvml_errors.NOT_ANSWERING:
            self._await_library(self._library, 0.0)
        self._read_opened(PATIENCE_SECONDS)
        listed = {info.uuid for info in self._devices.devices}
        gone = dict.fromkeys(listed - self._opened.keys(), self._all_missing("device_lost"))
        readings = {**self._readings, **gone}
        self._note_states(readings)
        return readings

    def read_processes(self) -> ListedProcesses:
        """Return the processes on each device: UUID → processes, or why they are unknown."""
        begun = {uuid: each.thread.begin(each.processes) for uuid, each in self._opened.items()}
        return {
            uuid: _processes(device.thread) if begun[uuid] else "not_answering"
            for uuid, device in self._opened.items()
        }

    def close(self) -> None:
        """Close the driver's library, unless a call hangs in it. Threads of hanging calls are abandoned."""
        opened = list(self._opened.values())
        ended = [device.thread.close() for device in opened]
        self._opened, self._readings = {}, {}
        if self._xid is not None:
            self._xid.close()
            self._xid = None
        if self._library is not None:
            ended.append(self._library.close())
            self._library = None
        if self._nvml is not None and all(ended):
            for device in opened:
                device.close()
            try:
                self._nvml.nvmlShutdown()
            except self._nvml.NVMLError as error:
                logger.debug("NVML did not shut down cleanly: %s", nvml_errors.text_of(error))
        self._nvml = None

    def _connect(self) -> dict[str, NvmlDevice]:
        nvml = self._load()
        nvml.nvmlInit()
        self._nvml = nvml  # to be shut down, even if what follows fails
        found = {each.info.uuid: each for each in find_devices(nvml)}
        boards = {uuid: each.handle for uuid, each in found.items() if not each.info.parent_uuid}
        self._xid = XidWatch(nvml, boards)
        return {
            uuid: NvmlDevice(nvml, each, self._metrics, xid=self._xid, clock=self._clock)
            for uuid, each in found.items()
        }

    def _await_library(self, library: DeviceThread, timeout_seconds: float) -> None:
        try:
            self._opened = library.answer(timeout_seconds)
        except Exception as error:  # noqa: BLE001  (the driver's error; reported to the user as a reason)
            late = isinstance(error, DeviceNotAnswering)
            reason = nvml_errors.NOT_ANSWERING if late else nvml_errors.why_no_devices(error)
            if reason.code == "driver_error":
                logger.warning("NVML could not be opened: %s", nvml_errors.text_of(error))
            self._devices = Devices(devices=[], reason=reason)
            return
        self._read_opened(timeout_seconds)  # info() needs the limits
        infos = [device.info() for device in self._opened.values()]
        # The driver no longer lists a device that fell off the bus, but the user must see that it is lost.
        # A missing MIG instance was removed on purpose.
        infos += [
            replace(info, state="device_lost")
            for info in self._known_infos
            if info.uuid not in self._opened and info.parent_uuid is None
        ]
        self._known_infos = infos
        self._devices = Devices(devices=infos, reason=None if infos else nvml_errors.NO_GPU)

    def _read_opened(self, patience_seconds: float) -> None:
        for device in self._opened.values():
            device.thread.begin(device.read)
        deadline = self._clock() + patience_seconds
        for uuid, device in self._opened.items():
            self._collect(uuid, device.thread, deadline)

    def _collect(self, uuid: str, thread: DeviceThread, deadline: float) -> None:
        hangs = thread.busy_seconds > PATIENCE_SECONDS
        try:
            answer = thread.answer(0.0 if hangs else max(0.0, deadline - self._clock()))
            if isinstance(answer, dict):  # otherwise, it is a late list of processes
                self._readings[uuid] = answer
        except DeviceNotAnswering:
            if uuid not in self._readings or thread.busy_seconds > HANG_SECONDS:
                self._readings[uuid] = self._all_missing("not_answering")
        except Exception:  # one device's error must not affect the others
            logger.exception("%s could not be read.", uuid)
            self._readings[uuid] = self._all_missing("driver_error")

    def _all_missing(self, reason: MissingReason) -> Readings:
        return dict.fromkeys((metric.name for metric in self._metrics), reason)

    def _note_states(self, readings: Mapping[str, Readings]) -> None:
        infos = []
        for before in self._devices.devices:
            device = self._opened.get(before.uuid)
            info = device.info() if device else before
            info = replace(info, state=_state_of(readings.get(before.uuid, {})))
            if info.state != before.state:
                logger.warning("%s: %s", info.uuid, info.state)
            infos.append(info)
        self._devices = Devices(devices=infos, reason=self._devices.reason)


def _processes(thread: DeviceThread) -> list[ListedProcess] | MissingReason:
    try:
        listed: list[ListedProcess] = thread.answer(PROCESSES_SECONDS)
    except DeviceNotAnswering:
        return "not_answering"
    except Exception as error:  # noqa: BLE001  (the driver's error; reported to the user as a reason)
        return nvml_errors.missing_reason(error)
    return listed


def _state_of(readings: Readings) -> DeviceState:
    values = set(readings.values())
    if values == {"not_answering"}:
        return "not_answering"
    return "device_lost" if values == {"device_lost"} else "ok"


SCHEME: Final = Scheme(
    name="nvml", form="nvml", make=lambda _, metrics: LocalSource(NvmlDriver(metrics), metrics)
)
