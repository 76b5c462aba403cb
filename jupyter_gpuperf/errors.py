"""Define the errors that users can see. Each has a code to branch on, a message to show, and a hint.

    GpuPerfError
    ├── BadRequest            400   malformed body, value out of range, unknown parameter
    ├── NotFound              404   unknown benchmark, device, kernel spec, job
    ├── Unavailable           503   no sample yet, no driver, not on this platform
    │   └── PackageMissing          also an ImportError
    └── JobFailed             500   the worker died, hung, or sent invalid data

A code never changes, because the front end and scripts branch on it. A message is safe to show to anyone;
tracebacks go to the log. This module uses only the standard library, because workers in other environments import it.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jupyter_gpuperf.messages import Message, without_messages

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self


class GpuPerfError(Exception):
    """An error with a stable code.

    Parameters
    ----------
    code
        Stable snake_case identifier.
    message
        One sentence that describes what happened.
    hint
        One sentence that says what to do about it; empty if nothing can be done.
    parameters
        Values of the fields in ``message`` and ``hint``; see :class:`~jupyter_gpuperf.messages.Message`.
    """

    http_status = 500

    def __init__(self, code: str, message: str, hint: str = "", **parameters: Any) -> None:
        self.code = code
        self.message = Message.from_template(message, parameters)
        self.hint = Message.from_template(hint, parameters)
        super().__init__(self.message)

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep everything when it is pickled: process pools send it from a worker."""
        return _unpickled, (type(self), self.__dict__)

    def to_dict(self) -> dict[str, Any]:
        """Return ``{"code", "message", "hint"}``.

        A text with parameters has a second entry, ``message_message`` or ``hint_message``, for its translation.
        """
        texts = {"message": self.message, "hint": self.hint}
        described = {f"{name}_message": t.to_dict() for name, t in texts.items() if t.parameters}
        return {"code": self.code, **{name: str(t) for name, t in texts.items()}, **described}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the error from the result of :meth:`to_dict`."""
        data = without_messages(data)
        texts = (data.get(name, "") for name in ("code", "message", "hint"))
        # A foreign worker may send anything.
        return cls(*(text if isinstance(text, str) else str(text) for text in texts))


def _unpickled(cls: type[GpuPerfError], attributes: Mapping[str, Any]) -> GpuPerfError:
    error = cls.__new__(cls, attributes["message"])
    error.__dict__.update(attributes)
    return error


class BadRequest(GpuPerfError):
    """The request is malformed or out of range."""

    http_status = 400


class NotFound(GpuPerfError):
    """The named object doesn't exist here."""

    http_status = 404


class Unavailable(GpuPerfError):
    """The requested object or feature is not available now, or not on this machine."""

    http_status = 503


class PackageMissing(Unavailable, ImportError):
    """An optional package is not installed."""

    def __str__(self) -> str:
        return f"{self.message} {self.hint}"


def require_package(package: str, user: str) -> None:
    """Raise ``PackageMissing`` (``package_missing``) unless this Python has the package that ``user`` needs."""
    if importlib.util.find_spec(package) is None:
        raise PackageMissing(
            "package_missing",
            "{user} needs {package}, which is not installed for {python}.",
            "Run {python} -m pip install {package}, or use an environment that has it.",
            user=user,
            package=package,
            python=sys.executable,
        )


def require_new_file(path: Path) -> None:
    """Raise ``BadRequest`` (``file_exists``) if the file exists: no command overwrites a user's file."""
    if path.exists():
        hint = "Choose another file, or delete this one."
        raise BadRequest("file_exists", "{path} already exists.", hint, path=path)


class JobFailed(GpuPerfError):
    """A benchmark's worker ended without a result."""
