"""Load a recording from a file, in any supported format."""

from __future__ import annotations

import gzip
import logging
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from jupyter_gpuperf.metrics import Metric
from jupyter_gpuperf.recordings.laboratory_traces import convert_trace
from jupyter_gpuperf.recordings.recording import Recording
from jupyter_gpuperf.recordings.recording_format import FORMAT

logger = logging.getLogger(__name__)

PACKAGED_FOLDER: Final = Path(__file__).parent
"""The folder with the package's recordings of real devices."""

GZIP_MAGIC: Final = b"\x1f\x8b"


def find_recording(path: Path) -> Path:
    """Return ``path``, or if it does not exist, the package's own recording of that name."""
    packaged = PACKAGED_FOLDER / path.name
    return packaged if not path.exists() and packaged.exists() else path


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
        recording = _parse(iter(lines), metrics, uuid_prefix)
    except (KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
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
    """The last line is incomplete."""


def _parse(
    objects: Iterator[Mapping[str, Any]], metrics: Sequence[Metric], uuid_prefix: str
) -> Recording:
    header = next(objects, None)
    if header is None:
        raise ValueError("it is empty")
    if header.get("format") != FORMAT:
        header, objects = convert_trace(header, objects, metrics)
    return Recording(header, objects, metrics, uuid_prefix)
