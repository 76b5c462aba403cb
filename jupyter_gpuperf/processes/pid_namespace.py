"""Check whether pids in this process's namespace are the host's. This module uses only the standard library."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc")

INITIAL_PID_NAMESPACE: Final = "pid:[4026531836]"
"""Linux's identifier of the host's own pid namespace (``PROC_PID_INIT_INO``)."""


def is_nested(proc: Path = PROC) -> bool:
    """Return whether pids in this process's namespace differ from the host's, as in a container.

    ``False`` if the system has no pid namespaces or does not report them.
    """
    try:
        namespace = os.readlink(proc / "self" / "ns" / "pid")
    except OSError:
        return False
    return namespace != INITIAL_PID_NAMESPACE
