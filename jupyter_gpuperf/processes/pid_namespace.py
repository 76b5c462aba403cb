"""Check whether pids here are the machine's own. Standard library only."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc")

INITIAL_PID_NAMESPACE: Final = "pid:[4026531836]"
"""Linux's name for the namespace of the machine itself (``PROC_PID_INIT_INO``)."""


def is_nested(proc: Path = PROC) -> bool:
    """Return whether pids here are not the machine's own, as in a container.

    Where the system has no such namespaces, or does not report them, pids are taken as the machine's.
    """
    try:
        namespace = os.readlink(proc / "self" / "ns" / "pid")
    except OSError:
        return False
    return namespace != INITIAL_PID_NAMESPACE
