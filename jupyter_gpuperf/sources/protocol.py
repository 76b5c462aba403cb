"""What a source of readings is, and how it is found by its address."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from jupyter_gpuperf.metrics import Metric
from jupyter_gpuperf.schemas import Devices, ListedProcesses, Readings, TrainingNow


class Sample(Struct, frozen=True, kw_only=True):
    """Readings of one machine at one moment.

    Parameters
    ----------
    devices
        UUID → readings, of all devices of this machine: a device that is missing here has gone.
    machine, cores_percent
        Readings of the machine around them, and the busy share of each of its cores.
    host
        The machine's name, as in its devices; ``None`` for the machine that this runs on.
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

    All methods are called only from the sampler's thread, ``open`` first. None may raise because of a hardware
    problem: a device that can't be read returns reasons instead of values.
    """

    @property
    def kind(self) -> str:
        """``nvml``, ``replay``, ``none``, …; shown by ``GET version``."""

    def open(self) -> None:
        """Connect. A failure is not raised, but kept and shown by :meth:`devices`."""

    def devices(self) -> Devices:
        """Return the current devices, or why there are none."""

    def read_processes(self) -> ListedProcesses:
        """Return the processes on each device; expensive (2 ms per device), so not called at every tick."""

    def close(self) -> None:
        """Disconnect; safe to call twice, and when ``open`` failed."""


class Driver(Connection, Protocol):
    """One vendor's driver: the devices of this machine."""

    def read(self) -> dict[str, Readings]:
        """Read every device once: UUID → readings."""


class Source(Connection, Protocol):
    """Where readings come from."""

    def read(self) -> Sequence[Sample]:
        """Return what is new since the last call, each machine's samples in the order of their times.

        A source that polls reads once. A source that receives data returns what has arrived, which may be nothing.
        """

    def read_training(self) -> TrainingNow | None:
        """Return what training loops did, from a recording; ``None`` where there is none."""


class Scheme(Struct, frozen=True, kw_only=True):
    """A kind of address.

    Parameters
    ----------
    name
        The part before the colon.
    form
        How an address is written, as shown in messages: ``replay:FILE[,FILE…]``.
    make
        Takes the part after the colon and the metrics to read; touches no hardware yet.
    takes_argument
        Whether something must follow the colon; otherwise nothing may.
    """

    name: str
    form: str
    make: Callable[[str, tuple[Metric, ...]], Source]
    takes_argument: bool = False
