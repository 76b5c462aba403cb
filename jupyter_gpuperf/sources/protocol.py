"""What a source of readings is, and how one is found by its address."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from jupyter_gpuperf.metrics import Metric
from jupyter_gpuperf.schemas import Devices, ListedProcesses, Readings, TrainingNow


class Sample(Struct, frozen=True, kw_only=True):
    """What was read of one machine at one moment.

    Parameters
    ----------
    devices
        UUID → readings, of all devices of this machine: one that is not in it has gone.
    machine, cores_percent
        Readings of the machine around them, and the share of each of its cores that worked.
    host
        The machine's name, as its devices have it; ``None`` for the one that this runs on.
    time_seconds
        Unix time of the reading by the source's own clock; ``None`` for just now.
    """

    devices: dict[str, Readings]
    machine: Readings = {}
    cores_percent: list[float] = []
    host: str | None = None
    time_seconds: float | None = None


class Connection(Protocol):
    """What a driver and a source have in common.

    All methods are called from the sampler's thread alone, ``open`` first; none may raise for what
    hardware does: a device that can't be read answers reasons instead of values.
    """

    @property
    def kind(self) -> str:
        """``nvml``, ``replay``, ``none``, …; what ``GET version`` shows."""

    def open(self) -> None:
        """Connect. A failure is kept and shown by :meth:`devices`, not raised."""

    def devices(self) -> Devices:
        """Return the devices there are now, or why there are none."""

    def read_processes(self) -> ListedProcesses:
        """Return the processes on each device; dear (2 ms a device), so not at every tick."""

    def close(self) -> None:
        """Disconnect; safe to call twice, and when ``open`` failed."""


class Driver(Connection, Protocol):
    """One vendor's driver: the devices of this machine."""

    def read(self) -> dict[str, Readings]:
        """Read every device once: UUID → readings."""


class Source(Connection, Protocol):
    """Where readings come from."""

    def read(self) -> Sequence[Sample]:
        """Return what is new since the call before, each machine's samples in the order of their times.

        A source that asks reads once; one that is told returns what has arrived, which may be nothing.
        """

    def read_training(self) -> TrainingNow | None:
        """Return what training loops did, as a recording tells; ``None`` where there is none."""


class Scheme(Struct, frozen=True, kw_only=True):
    """A kind of address.

    Parameters
    ----------
    name
        What stands before the colon.
    form
        How an address is written, as people are told: ``replay:FILE[,FILE…]``.
    make
        Takes what follows the colon, and the metrics to read; touches no hardware yet.
    takes_argument
        Whether something must follow the colon; else nothing may.
    """

    name: str
    form: str
    make: Callable[[str, tuple[Metric, ...]], Source]
    takes_argument: bool = False
