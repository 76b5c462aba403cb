"""Describe what failed in a mode, in the form of every refusal. No reference to the error's objects is kept."""

from __future__ import annotations

from typing import Any, Final

from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.precision.timing import VariantFailed

LONGEST: Final = 300


def described(error: BaseException) -> dict[str, Any]:
    """Return ``{"code", "message", "hint"}`` for an error in one mode."""
    cause = error.cause if isinstance(error, VariantFailed) else error
    if isinstance(cause, GpuPerfError):
        return cause.to_dict()
    # Compared by name: torch may not be imported here, and older versions define it elsewhere.
    if type(cause).__name__ == "OutOfMemoryError" or "DefaultCPUAllocator" in str(cause):
        return {
            "code": "out_of_memory",
            "message": Message("Memory ran out in this mode."),
            "hint": Message("Profile with a smaller batch."),
        }
    return {
        "code": "cell_failed",
        "message": Message(
            "The cell raised {name} in this mode: {cause}",
            name=type(cause).__name__,
            cause=_words(cause),
        ),
        "hint": Message("It ran as it is: some operator does not take this format."),
    }


def as_it_is(error: BaseException) -> dict[str, Any]:
    """Return ``{"code", "message", "hint"}`` when the ordinary run raised."""
    return {
        "code": "cell_failed",
        "message": Message(
            "The cell raised {name}: {error}", name=type(error).__name__, error=_words(error)
        ),
        "hint": Message("The notebook shows where. All is as before the cell."),
    }


def _words(error: BaseException) -> str:
    return " ".join(str(error).split())[:LONGEST]
