"""Describe an exception as code, message and hint, without a reference to it, which would keep tensors alive."""

from __future__ import annotations

from typing import Any, Final

from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.precision.failure_cause import NOT_KNOWN, cause_in_mode
from jupyter_gpuperf.precision.session import ProfileSession
from jupyter_gpuperf.precision.timing import VariantFailed

MOST_CHARACTERS: Final = 300


def describe_failure_in_mode(session: ProfileSession, error: Exception) -> dict[str, Any]:
    """Return ``{"code", "message", "hint"}`` for an error in one mode. Runs the cell again to find the cause."""
    cause = error.cause if isinstance(error, VariantFailed) else error
    if isinstance(cause, GpuPerfError):
        return {"code": cause.code, "message": cause.message, "hint": cause.hint}
    # Compare the class by name: torch may not be imported here, and older versions define the class elsewhere.
    if type(cause).__name__ == "OutOfMemoryError" or "DefaultCPUAllocator" in str(cause):
        return {
            "code": "out_of_memory",
            "message": Message("Out of memory in this mode."),
            "hint": Message("Use a smaller batch."),
        }
    hint = NOT_KNOWN
    if isinstance(error, VariantFailed):
        hint = cause_in_mode(session, error.mode, cause, error.runs)
    return _failed(cause, hint)


def describe_ordinary_failure(error: BaseException) -> dict[str, Any]:
    """Return ``{"code", "message", "hint"}`` for an error in the ordinary run."""
    return _failed(error, Message("See the traceback. The state is as it was before the cell ran."))


def _failed(error: BaseException, hint: Message) -> dict[str, Any]:
    text = " ".join(str(error).split())[:MOST_CHARACTERS].rstrip(".")
    text = f": {text}" if text else ""
    message = Message("The cell raised {name}{error}.", name=type(error).__name__, error=text)
    return {"code": "cell_failed", "message": message, "hint": hint}
