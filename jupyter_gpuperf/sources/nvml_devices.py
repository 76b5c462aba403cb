"""List the devices that the driver reports, including MIG instances."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

from msgspec import Struct, structs

from jupyter_gpuperf.metrics.memory import NVML_MEMORY_V2
from jupyter_gpuperf.schemas import DeviceInfo
from jupyter_gpuperf.sources import nvml_errors

logger = logging.getLogger(__name__)

MIG_ENABLED: Final = 1
"""``NVML_DEVICE_MIG_ENABLE``."""

NO_NAME: Final = "GPU (its name can't be read)"


class FoundDevice(Struct, frozen=True, kw_only=True):
    """A device, or a MIG instance, that the driver lists."""

    info: DeviceInfo
    """The description. Figures that come from readings are still missing."""
    handle: Any
    take_gpm_sample: Callable[[Any], object] | None
    """Function that fills a sample of the activity counters; ``None`` for a device without GPM."""


def find_devices(nvml: Any) -> Iterator[FoundDevice]:
    """Yield all devices and MIG instances. A device that can't be opened is logged and skipped.

    Raises
    ------
    Exception
        The driver's error, if it lists devices, but none can be opened.
    """
    taken: set[str] = set()
    failure: Exception | None = None
    for index in range(nvml.nvmlDeviceGetCount()):
        try:
            parent = _describe(nvml, index, nvml.nvmlDeviceGetHandleByIndex(index))
        except Exception as error:  # noqa: BLE001  (it must not hide the other devices)
            failure = failure or error
            logger.warning("GPU %d can't be opened: %s", index, nvml_errors.text_of(error))
            continue
        parent = _identified(parent, str(index), taken)  # CUDA accepts an index instead of a UUID
        yield parent
        for place, instance in _mig_instances(nvml, parent):
            yield _identified(instance, f"{parent.info.uuid}/{place}", taken)
    if failure is not None and not taken:
        raise failure


def _identified(found: FoundDevice, otherwise: str, taken: set[str]) -> FoundDevice:
    """Return the device with another identifier if its UUID is empty or taken, as in some virtual machines."""
    uuid = found.info.uuid
    uuid = uuid if uuid and uuid not in taken else otherwise
    taken.add(uuid)
    return structs.replace(found, info=structs.replace(found.info, uuid=uuid))


def _describe(nvml: Any, index: int, handle: Any) -> FoundDevice:
    capability = _optional(lambda: nvml.nvmlDeviceGetCudaComputeCapability(handle))
    gpm = _optional(lambda: nvml.nvmlGpmQueryDeviceSupport(handle).isSupportedDevice)
    return FoundDevice(
        info=DeviceInfo(
            uuid=_uuid(nvml, handle),
            index=index,
            name=_name(nvml, handle),
            state="ok",
            pci_bus_id=_optional(lambda: text(nvml.nvmlDeviceGetPciInfo(handle).busId)),
            compute_capability="{}.{}".format(*capability) if capability else None,
            parent_uuid=None,
            unified_memory=_has_unified_memory(nvml, handle),
            driver_version=_optional(lambda: text(nvml.nvmlSystemGetDriverVersion())),
            memory_total_bytes="not_yet",
            power_limit_watts="not_yet",
            clock_sm_max_mhz="not_yet",
            clock_memory_max_mhz="not_yet",
            replayed=False,
        ),
        handle=handle,
        take_gpm_sample=partial(nvml.nvmlGpmSampleGet, handle) if gpm else None,
    )


def _uuid(nvml: Any, handle: Any) -> str:
    """Return the UUID; an empty text if it is no text, which on WSL some drivers return."""
    try:
        return text(nvml.nvmlDeviceGetUUID(handle))
    except ValueError:  # pynvml could not decode it
        return ""


def _name(nvml: Any, handle: Any) -> str:
    return _optional(lambda: text(nvml.nvmlDeviceGetName(handle))) or NO_NAME


def _has_unified_memory(nvml: Any, handle: Any) -> bool:
    """Return whether the driver reports that this device has no memory of its own."""
    try:
        nvml.nvmlDeviceGetMemoryInfo(handle, NVML_MEMORY_V2)
    except Exception as error:  # noqa: BLE001  (any other error is no such report)
        return nvml_errors.code_of(error) == nvml_errors.NOT_SUPPORTED
    return False


def _mig_instances(nvml: Any, parent: FoundDevice) -> Iterator[tuple[int, FoundDevice]]:
    """Yield the index and the description of each MIG instance."""
    if _optional(lambda: nvml.nvmlDeviceGetMigMode(parent.handle)[0]) != MIG_ENABLED:
        return
    for place in range(_optional(lambda: nvml.nvmlDeviceGetMaxMigDeviceCount(parent.handle)) or 0):
        handle = _optional(partial(nvml.nvmlDeviceGetMigDeviceHandleByIndex, parent.handle, place))
        uuid = _optional(partial(_uuid, nvml, handle))
        if handle is None or uuid is None:
            continue  # no instance at this index
        info = structs.replace(
            parent.info,
            uuid=uuid,
            name=_name(nvml, handle),
            parent_uuid=parent.info.uuid,
            unified_memory=False,
        )
        take = partial(_sample_instance, nvml, parent.handle, handle)
        yield (
            place,
            FoundDevice(
                info=info, handle=handle, take_gpm_sample=take if parent.take_gpm_sample else None
            ),
        )


def _sample_instance(nvml: Any, parent: Any, handle: Any, sample: Any) -> None:
    nvml.nvmlGpmMigSampleGet(parent, nvml.nvmlDeviceGetGpuInstanceId(handle), sample)


def _optional(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception:  # noqa: BLE001  (the driver's, or pynvml's when an answer is no text)
        return None


def text(value: str | bytes) -> str:
    """Return a string from pynvml as text; old versions of that module return bytes."""
    return (value.decode() if isinstance(value, bytes) else value).strip()
