"""What went wrong in a mode, in the shape of every refusal; keeps no reference to the error's objects."""

from __future__ import annotations

from typing import Final

from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.precision.timing import VariantFailed

LONGEST: Final = 300


def described(error: BaseException) -> dict[str, str]:
    """Return ``{"code", "message", "hint"}``."""
    cause = error.cause if isinstance(error, VariantFailed) else error
    if isinstance(cause, GpuPerfError):
        return cause.to_dict()
    # By name: torch may not be imported here, and older ones have it elsewhere.
    if type(cause).__name__ == "OutOfMemoryError" or "DefaultCPUAllocator" in str(cause):
        return {
            "code": "out_of_memory",
            "message": "Memory ran out in this mode.",
            "hint": "Profile with a smaller batch.",
        }
    return {
        "code": "cell_failed",
        "message": f"The cell raised {type(cause).__name__} in this mode: {_words(cause)}",
        "hint": "It ran as it is: some operator does not take this format.",
    }


def as_it_is(error: BaseException) -> dict[str, str]:
    """Return the same where it was the ordinary run that raised."""
    return {
        "code": "cell_failed",
        "message": f"The cell raised {type(error).__name__}: {_words(error)}",
        "hint": "The notebook shows where. All is as before the cell.",
    }


def _words(error: BaseException) -> str:
    return " ".join(str(error).split())[:LONGEST]
