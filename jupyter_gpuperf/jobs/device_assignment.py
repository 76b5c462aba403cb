"""Assign a device to a job, and define the locks that keep other jobs off it."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from jupyter_gpuperf.errors import BadRequest, NotFound
from jupyter_gpuperf.jobs import posix
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.schemas import DeviceInfo

HOST_KEY: Final = "host"
"""The key of jobs that use no device. They share the CPU."""
ALL_KEY: Final = "all"
"""The key of jobs that use every device."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceAssignment:
    """Where a job runs. ``key`` names its queue; ``locks`` names the devices that it has to itself."""

    key: str
    device: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    device_uuids: tuple[str, ...] = ()

    @property
    def locks(self) -> tuple[str, ...]:
        """The keys to lock while the job runs, so that no other job measures on these devices."""
        return self.device_uuids or (self.key,)


def assign_device(
    device: str | None, devices: Sequence[DeviceInfo], environment: Mapping[str, str]
) -> DeviceAssignment:
    """Assign a job to ``device``; for ``None``, to the first device visible to CUDA.

    Parameters
    ----------
    device
        UUID or index, as the user typed it.
    environment
        The worker's environment variables. ``CUDA_VISIBLE_DEVICES`` determines the devices visible to CUDA.

    Raises
    ------
    NotFound
        ``unknown_device``.
    BadRequest
        ``device_is_a_recording``, ``device_is_elsewhere``.
    """
    if device is not None:
        return _named(device, devices)
    real = [each for each in devices if each.is_usable]
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if not real or visible in ("", "-1"):
        return DeviceAssignment(key=HOST_KEY)
    first = real[0].uuid if visible is None else _first_visible(visible, real)
    if first is None:  # a MIG instance, or a value that only CUDA understands: don't change it
        return DeviceAssignment(key=str(visible))
    return _assignment_to(first)


def assign_all_devices(devices: Sequence[DeviceInfo]) -> DeviceAssignment:
    """Assign a job to all devices of this machine; if there are none, to the CPU."""
    real = tuple(each.uuid for each in devices if each.is_usable)
    return DeviceAssignment(key=ALL_KEY if real else HOST_KEY, device_uuids=real)


def _named(device: str, devices: Sequence[DeviceInfo]) -> DeviceAssignment:
    known = next((each for each in devices if device in (each.uuid, str(each.index))), None)
    if known is None:
        raise NotFound(
            "unknown_device",
            "There is no device {device!r}.",
            "Available: {known}.",
            device=device,
            known=[each.uuid for each in devices] or [Message("none")],
        )
    hint = "Omit the device to measure on this machine."
    if known.replayed:
        recording = "{device} is a recording; a benchmark needs a real device."
        raise BadRequest("device_is_a_recording", recording, hint, device=device)
    if not known.is_usable:
        elsewhere = "{device} belongs to another host, {host}; a benchmark needs a local device."
        raise BadRequest("device_is_elsewhere", elsewhere, hint, device=device, host=known.host)
    return _assignment_to(known.uuid)


def _assignment_to(uuid: str) -> DeviceAssignment:
    return DeviceAssignment(key=uuid, device=uuid, environment={"CUDA_VISIBLE_DEVICES": uuid})


def _first_visible(visible: str, real: Sequence[DeviceInfo]) -> str | None:
    first = visible.split(",")[0].strip()
    for each in real:
        if first == str(each.index) or (len(first) > 4 and each.uuid.startswith(first)):
            return each.uuid
    return None


def lock_path(key: str, folder: Path | None = None) -> Path:
    """Return the lock file for a key, by default in a folder shared by all users of the machine."""
    folder = folder or Path(tempfile.gettempdir()) / "jupyter_gpuperf-locks"
    return posix.shared_folder(folder) / f"{re.sub('[^A-Za-z0-9-]', '_', key)}.lock"
