"""Recordings: what one can be asked, and how a file becomes one.

Two formats are read. Those that this product writes (:mod:`jupyter_gpuperf.sources.own_recording`)
hold finished readings of any number of devices. Labelled traces of single devices
(:mod:`jupyter_gpuperf.sources.trace`) hold the driver's raw answers.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from jupyter_gpuperf.schemas import DeviceInfo, TrainingNow
from jupyter_gpuperf.sources.source import DriverProcesses, Readings

PACKAGED: Final = Path(__file__).parent.parent / "recordings"
"""Recordings of real devices that come with the package."""

GZIP_MAGIC: Final = b"\x1f\x8b"


class Recording(Protocol):
    """Some time of some devices and of the machine around them.

    Times are seconds since its beginning; what was newest then is what is answered.
    """

    @property
    def label(self) -> str:
        """What ran."""
        ...

    @property
    def seconds(self) -> Sequence[float]:
        """The times of its readings, in order; at least one."""
        ...

    def devices(self, seconds: float) -> list[DeviceInfo]:
        """Return the devices."""
        ...

    def read(self, seconds: float) -> dict[str, Readings]:
        """Return each device's readings by its UUID."""
        ...

    def read_host(self, seconds: float) -> Readings:
        """Return the machine's readings."""
        ...

    def read_host_cores(self, seconds: float) -> list[float]:
        """Return each core's share in percent; empty where that was not recorded."""
        ...

    def read_processes(self, seconds: float) -> DriverProcesses:
        """Return each device's processes by its UUID."""
        ...

    def read_training(self, seconds: float) -> TrainingNow | None:
        """Return what training loops did; ``None`` where nothing was recorded of them."""
        ...


def find_recording(path: Path) -> Path:
    """Return ``path``, or the package's own recording of that name where only that exists."""
    packaged = PACKAGED / path.name
    return packaged if not path.exists() and packaged.exists() else path


class Lines:
    """The lines of a recording, as objects, as far as they can be read.

    A recording whose process was killed ends in the middle of a line or of a compressed block:
    what was written until then is what counts. ``torn`` is set when that was so.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.torn = False

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        with self._path.open("rb") as plain:
            packed = plain.read(2) == GZIP_MAGIC
        opener: Any = gzip.open if packed else open
        with opener(self._path, "rb") as lines:
            try:
                for line in lines:
                    if line.strip():
                        yield self._object(line)
            except (EOFError, zlib.error, gzip.BadGzipFile, _Torn):
                self.torn = True

    @staticmethod
    def _object(line: bytes) -> Mapping[str, Any]:
        try:
            return msgspec.json.decode(line, type=dict[str, Any])
        except msgspec.DecodeError as error:
            if not line.endswith(b"\n"):
                raise _Torn from error
            raise ValueError(f"a line is not a JSON object: {error}") from error


class _Torn(Exception):
    """The last line is only half there."""
