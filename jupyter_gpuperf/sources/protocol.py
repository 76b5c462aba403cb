"""The interfaces of drivers and of sources, and how an address selects a source."""

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
        UUID → readings, for all devices of this machine. A device that is missing here was removed.
    machine, cores_percent
        Readings of the machine itself, and the busy share of each of its cores in percent.
    host
        The machine's name, as in its devices' descriptions; ``None`` for this machine.
    time_seconds
        Unix time of the readings, by the source's own clock; ``None`` if they were taken just now.
    played_seconds
        UUID → how long ago the recording of a replayed device began. What came before is another pass of the recording,
        and its end is no event of the device's work.
    """

    devices: dict[str, Readings]
    machine: Readings = {}
    cores_percent: list[float] = []
    host: str | None = None
    time_seconds: float | None = None
    played_seconds: dict[str, float] = {}


class Connection(Protocol):
    """The methods that drivers and sources have in common.

    All methods are called only from the sampler's thread, ``open`` first. No method may raise because of a
    hardware problem: the readings of a device that can't be read are reasons instead of values.
    """

    @property
    def kind(self) -> str:
        """``nvml``, ``replay``, ``none``, …; shown by ``GET version``."""

    def open(self) -> None:
        """Connect. Does not raise if that fails: :meth:`devices` then returns the reason."""

    def devices(self) -> Devices:
        """Return the current devices, or why there are none."""

    def read_processes(self) -> ListedProcesses:
        """Return the processes on each device. Takes about 2 ms per device, so it is not called at every tick."""

    def close(self) -> None:
        """Disconnect. Can be called twice, and after :meth:`open` failed."""


class Driver(Connection, Protocol):
    """One vendor's driver, which reads the devices of this machine."""

    def read(self) -> dict[str, Readings]:
        """Read every device once: UUID → readings."""


class Source(Connection, Protocol):
    """Source of readings: of this machine, of others, or from recordings."""

    def read(self) -> Sequence[Sample]:
        """Return the samples since the last call; those of one machine are in the order of their times.

        A source that polls reads once. A source that receives data returns what has arrived, possibly nothing.
        """

    def read_training(self) -> TrainingNow | None:
        """Return the recorded activity of training loops, or ``None`` if there is none."""


class Scheme(Struct, frozen=True, kw_only=True):
    """A kind of source, selected by the part of an address before the colon.

    Parameters
    ----------
    name
        The part of the address before the colon.
    form
        The form of an address, shown in messages, such as ``replay:FILE[,FILE…]``.
    make
        Function that takes the part after the colon and the metrics to read, and returns a source. It must not access
        hardware yet.
    takes_argument
        Whether the part after the colon is required, or not allowed; ``None`` if it may be left out.
    """

    name: str
    form: str
    make: Callable[[str, tuple[Metric, ...]], Source]
    takes_argument: bool | None = False
