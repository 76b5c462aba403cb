"""What a source of readings is."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from jupyter_gpuperf.schemas import Devices, MissingReason, Reading, TrainingNow

Readings = dict[str, Reading]
"""Metric name → value or reason."""


class DriverProcess(Struct, frozen=True, kw_only=True):
    """A process as the driver lists it; in a container ``pid`` may be the host's number."""

    pid: int
    kinds: tuple[str, ...]
    """``compute``, ``graphics``, or both."""
    memory_used_bytes: Reading
    sm_utilization_percent: Reading
    """Of the driver's last sample periods. Its own list of the driver's: where the two lists
    number processes differently, ``not_supported``."""
    elsewhere: bool = False
    """True for one of a recording: its number means nothing on this machine."""


DriverProcesses = dict[str, "list[DriverProcess] | MissingReason"]
"""Device UUID → its processes, or why they can't be listed."""


class Source(Protocol):
    """Where readings come from.

    All methods are called from the sampler's thread alone, ``open`` first; none may raise for what
    hardware does: a device that can't be read answers reasons instead of values.
    """

    @property
    def kind(self) -> str:
        """``nvml``, ``replay`` or ``none``; what ``GET version`` shows."""
        ...

    def open(self) -> None:
        """Connect. A failure is kept and shown by :meth:`devices`, not raised."""
        ...

    def devices(self) -> Devices:
        """Return the devices, or why there are none."""
        ...

    def read(self) -> dict[str, Readings]:
        """Read every device once: UUID → readings."""
        ...

    def read_host(self) -> Readings:
        """Read the machine around the devices once."""
        ...

    def read_host_cores(self) -> list[float]:
        """Return the share of each core that worked since the call before, in percent."""
        ...

    def read_processes(self) -> DriverProcesses:
        """Return the processes on each device; dear (2 ms a device), so not at every tick."""
        ...

    def read_training(self) -> TrainingNow | None:
        """Return what training loops did, as a recording tells; ``None`` where there is none."""
        ...

    def close(self) -> None:
        """Disconnect; safe to call twice, and when ``open`` failed."""
        ...
