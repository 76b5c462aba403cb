"""Readings from the NVIDIA driver: the only place that imports pynvml or knows its errors."""

from __future__ import annotations

import importlib
import logging
import math
import time
import types
from collections.abc import Callable
from typing import Any, Final

from jupyter_gpuperf.metrics import Metric
from jupyter_gpuperf.schemas import DeviceInfo, Devices, MissingReason, NoDevices
from jupyter_gpuperf.sources.host import HostSource
from jupyter_gpuperf.sources.reading import OncePerTick, read_metrics
from jupyter_gpuperf.sources.source import DriverProcesses, Readings

logger = logging.getLogger(__name__)

# Numbers of nvmlReturn_t, which never change; pynvml makes its exceptions of them.
NOT_SUPPORTED, NO_PERMISSION, UNINITIALIZED = 3, 4, 1
DRIVER_NOT_LOADED, TIMEOUT, LIBRARY_NOT_FOUND, FUNCTION_NOT_FOUND = 9, 10, 12, 13
GPU_IS_LOST, RESET_REQUIRED, LIB_RM_VERSION_MISMATCH = 15, 16, 18

MISSING: Final[dict[int, MissingReason]] = {
    NOT_SUPPORTED: "not_supported",
    FUNCTION_NOT_FOUND: "not_supported",
    NO_PERMISSION: "no_permission",
    GPU_IS_LOST: "device_lost",
    RESET_REQUIRED: "device_lost",
    UNINITIALIZED: "device_lost",
    DRIVER_NOT_LOADED: "device_lost",
    TIMEOUT: "not_answering",
}
"""What a failed reading means; any other error is ``driver_error``."""

LIMITS_SECONDS: Final = 30.0
"""Limits hardly change, and the highest clocks cost 1.4 ms each to ask for (measured on an H100),
a hundred times all that does change."""

NO_DEVICES: Final[dict[int, NoDevices]] = {
    LIBRARY_NOT_FOUND: NoDevices(
        code="no_driver_library",
        message="No NVIDIA driver was found: the library libnvidia-ml is not on this machine.",
        hint="On a machine with a GPU, install the NVIDIA driver; in a container, start it with "
        "--gpus all. nvidia-smi must work in a terminal here.",
    ),
    DRIVER_NOT_LOADED: NoDevices(
        code="driver_not_loaded",
        message="The NVIDIA driver's library is here, but the driver is not loaded.",
        hint="Load it with: sudo modprobe nvidia. In a container, start it with --gpus all.",
    ),
    LIB_RM_VERSION_MISMATCH: NoDevices(
        code="driver_mismatch",
        message="The NVIDIA library and the loaded driver have different versions, as after an "
        "update without a restart.",
        hint="Restart the machine, or reload the nvidia kernel module.",
    ),
    NO_PERMISSION: NoDevices(
        code="no_permission",
        message="The NVIDIA driver refuses this user.",
        hint="Give the user access to /dev/nvidia*, for example through the group video.",
    ),
}
"""Why the driver could not be opened, and what to do."""


class NvmlSource:
    """All devices of the NVIDIA driver.

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
        load: Callable[[], types.ModuleType] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        device_metrics = [metric for metric in metrics if metric.scope == "device"]
        self._metrics = tuple(each for each in device_metrics if each.kind != "limit")
        self._limits = tuple(each for each in device_metrics if each.kind == "limit")
        self._clock = clock
        self._limits_read: dict[str, tuple[float, Readings]] = {}
        self._host = HostSource(metrics)
        self._load = load or _load_pynvml
        self._nvml: Any = None
        self._handles: dict[str, Any] = {}
        self._devices = Devices(
            devices=[],
            reason=NoDevices(
                code="starting", message="The driver has not been asked yet.", hint=""
            ),
        )
        self._logged: set[tuple[str, str]] = set()

    def open(self) -> None:
        """Initialise the driver's library and list the devices."""
        try:
            self._nvml = self._load()
            self._nvml.nvmlInit()
            self._handles, found = self._find()
        except Exception as error:  # noqa: BLE001  (the driver's; told to the user as a reason)
            self._devices = Devices(devices=[], reason=self._why_not(error))
            return
        self._devices = Devices(devices=found, reason=None if found else _no_gpu())

    def devices(self) -> Devices:
        """Return the devices found by :meth:`open`, or why there are none."""
        return self._devices

    def read(self) -> dict[str, Readings]:
        """Read every metric of every device once."""
        return {uuid: self._read_device(uuid) for uuid in self._handles}

    def read_host(self) -> Readings:
        """Read the machine."""
        return self._host.read()

    def read_host_cores(self) -> list[float]:
        """Return the share of each core that worked, in percent."""
        return self._host.read_cores()

    def read_processes(self) -> DriverProcesses:
        """Return the processes on each device."""
        return {uuid: "not_supported" for uuid in self._handles}

    def close(self) -> None:
        """Release the driver's library."""
        self._limits_read = {}
        if self._handles:
            self._handles = {}
            try:
                self._nvml.nvmlShutdown()
            except self._nvml.NVMLError as error:
                logger.debug("NVML did not shut down cleanly: %s", error)

    def _find(self) -> tuple[dict[str, Any], list[DeviceInfo]]:
        handles, devices = {}, []
        driver_version = _text(self._nvml.nvmlSystemGetDriverVersion())
        for index in range(self._nvml.nvmlDeviceGetCount()):
            # One device that can't be opened must not hide the others.
            try:
                handle = self._nvml.nvmlDeviceGetHandleByIndex(index)
                uuid = _text(self._nvml.nvmlDeviceGetUUID(handle))
                name = _text(self._nvml.nvmlDeviceGetName(handle))
            except self._nvml.NVMLError as error:
                logger.warning("GPU %d can't be opened and is left out: %s", index, error)
                continue
            handles[uuid] = handle
            limits = self._read_limits(uuid, handle)
            devices.append(
                DeviceInfo(
                    uuid=uuid,
                    index=index,
                    name=name,
                    state="ok",
                    pci_bus_id=None,
                    compute_capability=None,
                    parent_uuid=None,
                    unified_memory=False,
                    driver_version=driver_version,
                    replayed=False,
                    memory_total_bytes=limits.get("memory_total_bytes", "not_supported"),
                    power_limit_watts=limits.get("power_limit_watts", "not_supported"),
                    clock_sm_max_mhz=limits.get("clock_sm_max_mhz", "not_supported"),
                    clock_memory_max_mhz=limits.get("clock_memory_max_mhz", "not_supported"),
                )
            )
        return handles, devices

    def _read_limits(self, uuid: str, handle: Any) -> Readings:  # noqa: ANN401
        read_at, limits = self._limits_read.get(uuid, (-math.inf, {}))
        if self._clock() - read_at >= LIMITS_SECONDS:
            limits = self._read_some(uuid, handle, self._limits)
            self._limits_read[uuid] = (self._clock(), limits)
        return limits

    def _read_device(self, uuid: str) -> Readings:
        handle = self._handles[uuid]
        return {
            **self._read_some(uuid, handle, self._metrics),
            **self._read_limits(uuid, handle),
        }

    def _read_some(
        self,
        uuid: str,
        handle: Any,  # noqa: ANN401
        metrics: tuple[Metric, ...],
    ) -> Readings:
        calls = OncePerTick(
            lambda function, *arguments: getattr(self._nvml, function)(handle, *arguments)
        )
        return read_metrics(
            metrics, lambda metric: metric.read(calls), lambda error: self._reason_of(uuid, error)
        )

    def _reason_of(self, uuid: str, error: Exception) -> MissingReason:
        value = getattr(error, "value", None)
        reason = MISSING.get(value, "driver_error") if isinstance(value, int) else "driver_error"
        # A state is logged when it is first seen, not at every tick.
        if reason != "not_supported" and (uuid, str(error)) not in self._logged:
            self._logged.add((uuid, str(error)))
            logger.warning("%s: a reading is missing (%s): %s", uuid, reason, error)
        return reason

    def _why_not(self, error: Exception) -> NoDevices:
        if isinstance(error, ImportError):
            return NoDevices(
                code="no_nvml_module",
                message=f"The Python package nvidia-ml-py can't be used: {error}.",
                hint="Run: pip install --force-reinstall nvidia-ml-py (and pip uninstall pynvml, "
                "an old package that hides it).",
            )
        value = getattr(error, "value", None)
        if isinstance(value, int) and value in NO_DEVICES:
            return NO_DEVICES[value]
        logger.warning("NVML could not be opened: %s", error)
        return NoDevices(
            code="driver_error",
            message=f"The NVIDIA driver answered with an error: {error}.",
            hint="See whether nvidia-smi works in a terminal here.",
        )


def _load_pynvml() -> types.ModuleType:
    pynvml = importlib.import_module("pynvml")

    if not hasattr(pynvml, "nvmlDeviceGetCurrentClocksEventReasons"):
        raise ImportError(f"{pynvml.__file__} is another or an old module of the name pynvml")
    return pynvml


def _no_gpu() -> NoDevices:
    return NoDevices(
        code="no_gpu",
        message="The NVIDIA driver works, but shows no GPU to this process.",
        hint="In a container, start it with --gpus all; in a job scheduler, ask for a GPU.",
    )


def _text(value: str | bytes) -> str:
    # Old versions of the module answer bytes.
    return value.decode() if isinstance(value, bytes) else value
