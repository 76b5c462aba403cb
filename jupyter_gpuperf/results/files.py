"""Read and write reports and suites as indented JSON files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from jupyter_gpuperf.errors import BadRequest, NotFound
from jupyter_gpuperf.schemas import encode

T = TypeVar("T")


class Formatted(Protocol):
    """What a file contains: the name and the version of its format, and more."""

    @property
    def format(self) -> str:
        """The name."""

    @property
    def format_version(self) -> int:
        """The version."""


def readable_json(content: object) -> bytes:
    """Return a struct as indented JSON."""
    return msgspec.json.format(encode(content), indent=1) + b"\n"


@contextlib.contextmanager
def coded_write_errors(path: Path) -> Iterator[None]:
    """Within the context, convert ``OSError`` into ``BadRequest`` (``file_not_writable``)."""
    try:
        yield
    except OSError as error:
        message, reason = "Can't write {path}: {error}.", error.strerror
        hint = "Choose another file."
        raise BadRequest("file_not_writable", message, hint, path=path, error=reason) from error


def write_new(path: Path, content: bytes) -> None:
    """Write a file that does not exist yet, completely or not at all.

    Raises
    ------
    OSError
        It can't be written, or there is such a file by now, which stays as it is.
    """
    with path.open("xb") as file:
        try:
            file.write(content)
            file.flush()
        except OSError:
            path.unlink(missing_ok=True)
            raise


def read_as(kind: type[T], path: Path, code: str, *, message: str) -> T:
    """Read a file and decode it as ``kind``.

    Raises
    ------
    NotFound
        ``file_not_found``: the file can't be read.
    BadRequest
        The content is not a valid ``kind``. The error has the given code and message (with fields ``path`` and
        ``error``).
    """
    hint = "Choose a file written by --save."
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as error:
        unreadable, reason = "Can't read {path}: {error}.", error.strerror
        raise NotFound("file_not_found", unreadable, hint, path=path, error=reason) from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(code, message, hint, path=path, error=error) from error


def require_format(content: Formatted, path: Path, code: str, name: str, version: int) -> None:
    """Check that a file has a format that this version supports.

    Raises
    ------
    BadRequest
        With the given code, if it has another name or a later version.
    """
    if content.format != name or content.format_version > version:
        raise BadRequest(
            code,
            "{path} has the format {format} {version}, which is not supported here.",
            "Update jupyter_gpuperf, or write the file again.",
            path=path,
            format=content.format,
            version=content.format_version,
        )
