"""Load a recording from a file, in any supported format."""

from __future__ import annotations

import gzip
import logging
import os
import stat
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from jupyter_gpuperf.metrics import Metric
from jupyter_gpuperf.recordings.laboratory_traces import convert_trace
from jupyter_gpuperf.recordings.recording import Recording
from jupyter_gpuperf.recordings.recording_format import FORMAT

logger = logging.getLogger(__name__)

PACKAGED_FOLDER: Final = Path(__file__).parent
"""The folder with the package's recordings of real devices."""

GZIP_MAGIC: Final = b"\x1f\x8b"

LONGEST_LINE_MIB: Final = 4
SHORTEST_LINE_BYTES: Final = 64
"""A shorter line counts as this long: reading it takes as much time."""

MOST_EXPANSION: Final = 100
"""Maximum ratio between the lines of a file and its compressed size; that of real recordings is 12 to 32."""
MOST_COLUMN_EXPANSION: Final = 50
"""Maximum ratio between the readings in memory and the file's size; that of real recordings is below 10."""
LEAST_LIMIT_BYTES: Final = 32 << 20
"""Both limits are never lower than this."""


def find_recording(path: Path) -> Path:
    """Return ``path``, or if it does not exist, the package's own recording of that name."""
    packaged = PACKAGED_FOLDER / path.name
    return packaged if not path.exists() and packaged.exists() else path


OPEN_FLAGS: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)

NOT_A_RECORDING: Final = (
    KeyError,
    TypeError,
    AttributeError,
    UnicodeDecodeError,
    OverflowError,
    msgspec.MsgspecError,
)
"""What parsing raises if the content has another shape."""


def load_recording(path: Path, metrics: Sequence[Metric], uuid_prefix: str = "") -> Recording:
    """Load a recording from ``path``, or from the package's recordings if only a name is given.

    Messages of an unknown kind, such as those of a newer version, are logged and left out.

    Parameters
    ----------
    uuid_prefix
        Prefix of the devices' UUIDs in the returned recording.

    Raises
    ------
    ValueError
        The file is not a recording; the message gives the reason.
    OSError
        The file can't be read.
    """
    lines = RecordingLines(find_recording(path))
    try:
        limit_bytes = size_limit(lines.path, MOST_COLUMN_EXPANSION)
        recording = _parse(iter(lines), metrics, uuid_prefix, limit_bytes)
    except NOT_A_RECORDING as error:
        raise ValueError(f"not a recording ({type(error).__name__}: {error})") from error
    except ValueError as error:
        raise ValueError(f"{error}; the file is truncated" if lines.torn else str(error)) from error
    if lines.torn:
        logger.warning("The recording %s is truncated; only what precedes the cut is played.", path)
    for kind, count in recording.unknown.items():
        logger.warning("The recording %s has %d × %s, skipped.", path, count, kind)
    return recording


def read_header(path: Path) -> Mapping[str, Any]:
    """Return the header of a recording in the product's own format.

    Raises
    ------
    ValueError
        The file is not such a recording.
    OSError
        The file can't be read.
    """
    header = next(iter(RecordingLines(path)), {})
    if header.get("format") != FORMAT:
        raise ValueError("different format")
    return header


class RecordingLines:
    """The lines of a recording, decoded, as far as they can be read.

    If the recording process was killed, the file ends in the middle of a line or of a compressed block. Everything
    before that is read, and ``torn`` is set.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.torn = False

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        with open_regular(self.path) as plain:
            packed = plain.read(2) == GZIP_MAGIC
            plain.seek(0)
            left = size_limit(self.path, MOST_EXPANSION)
            lines: Any = gzip.GzipFile(fileobj=plain) if packed else plain
            try:
                while line := lines.readline(LONGEST_LINE_MIB << 20):
                    left -= max(len(line), SHORTEST_LINE_BYTES)
                    if left < 0 or len(line) == LONGEST_LINE_MIB << 20:
                        raise ValueError("it has a line, or a content, that is far too long")
                    if line.strip():
                        yield self._object(line)
            except (EOFError, zlib.error, gzip.BadGzipFile, _Torn):
                self.torn = True

    @staticmethod
    def _object(line: bytes) -> Mapping[str, Any]:
        try:
            return msgspec.json.decode(line, type=dict[str, Any])
        except (msgspec.DecodeError, RecursionError) as error:
            if not line.endswith(b"\n"):
                raise _Torn from error
            raise ValueError(f"a line is not a JSON object: {error}") from error


def open_regular(path: Path) -> IO[bytes]:
    """Open a file for reading. Never waits, as opening a named pipe would.

    Raises
    ------
    ValueError
        It is not a regular file.
    OSError
        The file can't be opened.
    """
    descriptor = os.open(path, OPEN_FLAGS)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError("it is not a regular file")
    return os.fdopen(descriptor, "rb")


def size_limit(path: Path, most_expansion: float) -> float:
    """Return how many bytes the content of a compressed file may take."""
    return max(LEAST_LIMIT_BYTES, most_expansion * path.stat().st_size)


class _Torn(Exception):
    """The last line is incomplete."""


def _parse(
    objects: Iterator[Mapping[str, Any]],
    metrics: Sequence[Metric],
    uuid_prefix: str,
    limit_bytes: float,
) -> Recording:
    header = next(objects, None)
    if header is None:
        raise ValueError("it is empty")
    if header.get("format") != FORMAT:
        header, objects = convert_trace(header, objects, metrics)
    return Recording(header, objects, metrics, uuid_prefix, limit_bytes)
