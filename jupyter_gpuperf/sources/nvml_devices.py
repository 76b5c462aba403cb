"""List the devices that the driver reports, including MIG instances."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from jupyter_gpuperf.metrics.memory import NVML_MEMORY_V2
from jupyter_gpuperf.schemas import DeviceInfo
from jupyter_gpuperf.sources import nvml_errors

logger = logging.getLogger(__name__)

MIG_ENABLED: Final = 1
"""``NVML_DEVICE_MIG_ENABLE``."""


class FoundDevice(Struct, frozen=True, kw_only=True):
    """A device, or a MIG instance, that the driver lists."""

    info: DeviceInfo
    """The description. Figures that come from readings are still missing."""
    handle: Any
    take_gpm_sample: Callable[[Any], object] | None
    """Function that fills a sample of the activity counters; ``None`` for a device without GPM."""


def find_devices(nvml: Any) -> Iterator[FoundDevice]:
    """Yield all devices and MIG instances. If a device can't be opened, this is logged and the device is skipped."""
    for index in range(nvml.nvmlDeviceGetCount()):
        try:
            found = _describe(nvml, index, nvml.nvmlDeviceGetHandleByIndex(index))
        except nvml.NVMLError as error:
            logger.warning("GPU %d can't be opened and is skipped: %s", index, error)
            continue
        yield found
        yield from _mig_instances(nvml, found)


def _describe(nvml: Any, index: int, handle: Any) -> FoundDevice:
    capability = _optional(nvml, lambda: nvml.nvmlDeviceGetCudaComputeCapability(handle))
    gpm = _optional(nvml, lambda: nvml.nvmlGpmQueryDeviceSupport(handle).isSupportedDevice)
    return FoundDevice(
        info=DeviceInfo(
            uuid=text(nvml.nvmlDeviceGetUUID(handle)),
            index=index,
            name=text(nvml.nvmlDeviceGetName(handle)),
            state="ok",
            pci_bus_id=_optional(nvml, lambda: text(nvml.nvmlDeviceGetPciInfo(handle).busId)),
            compute_capability="{}.{}".format(*capability) if capability else None,
            parent_uuid=None,
            unified_memory=_has_unified_memory(nvml, handle),
            driver_version=_optional(nvml, lambda: text(nvml.nvmlSystemGetDriverVersion())),
            memory_total_bytes="not_yet",
            power_limit_watts="not_yet",
            clock_sm_max_mhz="not_yet",
            clock_memory_max_mhz="not_yet",
            replayed=False,
        ),
        handle=handle,
        take_gpm_sample=partial(nvml.nvmlGpmSampleGet, handle) if gpm else None,
    )


def _has_unified_memory(nvml: Any, handle: Any) -> bool:
    """Return whether the driver reports that this device has no memory of its own."""
    try:
        nvml.nvmlDeviceGetMemoryInfo(handle, NVML_MEMORY_V2)
    except nvml.NVMLError as error:
        return nvml_errors.code_of(error) == nvml_errors.NOT_SUPPORTED
    return False


def _mig_instances(nvml: Any, parent: FoundDevice) -> Iterator[FoundDevice]:
    if _optional(nvml, lambda: nvml.nvmlDeviceGetMigMode(parent.handle)[0]) != MIG_ENABLED:
        return
    for place in range(nvml.nvmlDeviceGetMaxMigDeviceCount(parent.handle)):
        try:
            handle = nvml.nvmlDeviceGetMigDeviceHandleByIndex(parent.handle, place)
            uuid, name = text(nvml.nvmlDeviceGetUUID(handle)), text(nvml.nvmlDeviceGetName(handle))
        except nvml.NVMLError:
            continue  # no instance at this index
        info = replace(
            parent.info, uuid=uuid, name=name, parent_uuid=parent.info.uuid, unified_memory=False
        )
        take = partial(_sample_instance, nvml, parent.handle, handle)
        yield FoundDevice(
            info=info, handle=handle, take_gpm_sample=take if parent.take_gpm_sample else None
        )


def _sample_instance(nvml: Any, parent: Any, handle: Any, sample: Any) -> None:
    nvml.nvmlGpmMigSampleGet(parent, nvml.nvmlDeviceGetGpuInstanceId(handle), sample)


def _optional(nvml: Any, call: Callable[[], Any]) -> Any:
    try:
        return call()
    except (nvml.NVMLError, AttributeError):
        return None


def text(value: str | bytes) -> str:
    """Return a string from pynvml as text; old versions of that module return bytes."""
    return value.decode() if isinstance(value, bytes) else value
