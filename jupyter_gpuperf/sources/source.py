"""What a source of readings is."""

from __future__ import annotations

from typing import Protocol

from jupyter_gpuperf.schemas import Devices, Reading

Readings = dict[str, Reading]
"""Metric name → value or reason."""


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

    def close(self) -> None:
        """Disconnect; safe to call twice, and when ``open`` failed."""
        ...
