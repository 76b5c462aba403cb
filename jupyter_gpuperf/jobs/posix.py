"""All POSIX-only calls of the jobs, so that the other modules can be imported on any platform.

Standard library only: the supervisor, which runs isolated, loads this file by its path.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import stat
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

IS_POSIX = os.name == "posix"


def try_lock(path: Path) -> int | None:
    """Lock ``path`` without waiting; return the descriptor that holds the lock, or ``None`` if it is taken.

    The file is shared by all users of the machine, in a sticky folder. It is opened before it is
    created, because Linux refuses to *create* another user's file there (fs.protected_regular).
    Links are not followed.

    Raises
    ------
    OSError
        The file can't be opened.
    """
    import fcntl

    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        descriptor = os.open(path, flags | os.O_CREAT, 0o666)
        with contextlib.suppress(PermissionError):  # another user created it in between
            os.fchmod(descriptor, 0o666)  # regardless of the umask
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def shared_folder(path: Path) -> Path:
    """Make ``path`` a sticky folder in which every user may create files; return it.

    Raises
    ------
    OSError
        The folder can't be created, or the path exists and is not a folder.
    """
    try:
        path.mkdir(mode=0o1777)
        path.chmod(0o1777)
    except FileExistsError:
        if not stat.S_ISDIR(path.lstat().st_mode):
            raise
    return path


def adopt_orphans() -> None:
    """Become the parent of descendants whose parent dies, so that they can be found and killed."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    """Have the system kill this process when the parent thread ends; call this between fork and exec."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def kill_descendants() -> None:
    """Kill and reap all descendants of this process, until none is left.

    This takes several rounds: a process may fork while its siblings are being killed, and orphans arrive
    here only after their parents are dead.
    """
    while True:
        _kill(_descendants(os.getpid()))
        try:
            while os.waitpid(-1, 0)[0]:
                if _descendants(os.getpid()):
                    break
        except ChildProcessError:
            return


def kill_group(leader_pid: int) -> None:
    """Kill a process group; do nothing if it no longer exists."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader_pid, signal.SIGKILL)


def kill_marked(marker: str) -> None:
    """Kill every process of this user whose environment contains ``marker`` (``NAME=value``).

    If the supervisor was killed, this is the only way to find processes that started their own sessions.
    """
    while marked := _marked(marker.encode()):
        _kill(marked)
        time.sleep(0.005)  # they are not our children, so we can't wait on them


def _kill(pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _prctl(option: int, argument: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, argument, 0, 0, 0)


def _processes() -> list[Path]:
    names = os.listdir("/proc") if sys.platform == "linux" else ()
    return [Path("/proc", name) for name in names if name.isdigit()]


def _marked(marker: bytes) -> list[int]:
    found = []
    for process in _processes():
        # The environment of a dead process that has not been reaped reads as empty.
        with contextlib.suppress(OSError):
            if marker in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
    return found


def _descendants(ancestor: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for process in _processes():
        with contextlib.suppress(OSError, ValueError, IndexError):
            # The name is in brackets and may itself contain brackets: the fields follow the last one.
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            if fields[0] != "Z":
                children.setdefault(int(fields[1]), []).append(int(process.name))
    found, waiting = [], [ancestor]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found
