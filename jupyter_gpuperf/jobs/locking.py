"""Keep other servers, including other users' servers, off a device while a benchmark runs on it."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from jupyter_gpuperf.jobs import posix
from jupyter_gpuperf.jobs.device_assignment import lock_path

logger = logging.getLogger(__name__)

LOCK_RETRY_SECONDS: Final = 0.1


@contextlib.contextmanager
def hold_locks(
    keys: Sequence[str], folder: Path | None, *, wait: Callable[[float], None]
) -> Iterator[tuple[int, ...]]:
    """Lock all ``keys``, waiting while others hold them; yield the descriptors that hold the locks.

    Parameters
    ----------
    folder
        Folder of the lock files; by default one shared by all users of the machine.
    wait
        Waits for the given number of seconds; called repeatedly while someone else holds a lock. To give up, it raises.
    """
    held: list[int] = []
    try:
        try:
            # Always in the same order: otherwise two jobs that need several locks could deadlock.
            for key in sorted(keys if posix.IS_POSIX else ()):
                path = lock_path(key, folder)
                while (descriptor := posix.try_lock(path)) is None:
                    wait(LOCK_RETRY_SECONDS)
                held.append(descriptor)
        except OSError as error:
            logger.warning("The device can't be locked against other servers: %s", error)
        yield tuple(held)
    finally:
        for descriptor in held:
            os.close(descriptor)
