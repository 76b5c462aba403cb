"""Reports and suites in files of their own: JSON that people may read."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from jupyter_gpuperf.errors import BadRequest, NotFound
from jupyter_gpuperf.schemas import encode

T = TypeVar("T")


def readable(content: object) -> bytes:
    """Return what a file of this content holds."""
    return msgspec.json.format(encode(content), indent=1) + b"\n"


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Refuse with ``file_not_writable`` what the disk refuses."""
    try:
        yield
    except OSError as error:
        raise BadRequest(
            "file_not_writable", f"{path} can't be written: {error}.", "Name another file."
        ) from error


def read_as(kind: type[T], path: Path, code: str, *, message: Callable[[Exception], str]) -> T:
    """Return what a file holds.

    Raises
    ------
    NotFound
        ``file_not_found``.
    BadRequest
        It holds something else: refused with this code, and the message that is made of the error.
    """
    hint = "Name a file that --save wrote."
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise NotFound("file_not_found", f"{path} can't be read: {error}.", hint) from error
    except msgspec.MsgspecError as error:
        raise BadRequest(code, message(error), hint) from error
