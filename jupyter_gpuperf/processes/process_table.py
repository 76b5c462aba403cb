"""Read the parents, session, owner and command of processes from the operating system, and whether they use a GPU."""

from __future__ import annotations

import contextlib
import os
import re
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple

from jupyter_gpuperf.processes import pid_namespace
from jupyter_gpuperf.processes.pid_namespace import PROC

MOST_ANCESTORS: Final = 100
LONGEST_COMMAND: Final = 80
DEVICE_PREFIXES: Final = ("/dev/nvidia", "/dev/dxg", "/dev/nvhost", "/dev/nvgpu")
"""Device files of GPUs: of a card, on WSL, and on a Jetson."""


class ProcessDescription(NamedTuple):
    """A process as shown to users; ``None`` for values that can't be read. ``started_seconds`` is a Unix time."""

    user: str | None = None
    command: str | None = None
    started_seconds: float | None = None


class ProcessTable:
    """Reads ``/proc``. If a value is missing or can't be read, methods return ``None`` or an empty value.

    Parameters
    ----------
    proc
        The mount point of ``/proc``.
    """

    def __init__(self, proc: Path = PROC) -> None:
        self._proc = proc
        self._described: dict[tuple[int, str], ProcessDescription] = {}

    @cached_property
    def is_nested(self) -> bool:
        """Whether pids in this process's namespace differ from the host's, as in a container."""
        return pid_namespace.is_nested(self._proc)

    def exists(self, pid: int) -> bool:
        """Return whether the process exists; on systems without ``/proc``, according to psutil."""
        if self._proc.exists():
            return (self._proc / str(pid)).exists()
        import psutil

        return psutil.pid_exists(pid)

    def inner_pid(self, outer_pid: int) -> int | None:
        """Return the pid in this namespace of a process whose pid in the outer namespace is ``outer_pid``.

        ``None`` if unknown. It is known only if the process's ``NSpid`` line shows both pids, as in a container with
        the host's ``/proc``.
        """
        for status in self._proc.glob("[0-9]*/status"):
            pids = _ns_pids(status)
            if len(pids) > 1 and pids[0] == outer_pid:
                return int(status.parent.name)
        return None

    def lineage(self, pid: int) -> list[int]:
        """Return the pids of the process and of its ancestors, followed by that of its session's leader.

        A process whose parent has ended gets another parent, but stays in its session.
        """
        found: list[int] = []
        current = pid
        while current > 1 and len(found) < MOST_ANCESTORS and current not in found:
            found.append(current)
            fields = self._stat(current)
            if not fields:
                break
            current = int(fields[1])
        fields = self._stat(pid)
        return [*found, int(fields[3])] if fields else found

    def session_name(self, pid: int) -> str | None:
        """Return the path of the notebook for which Jupyter started this process, from its environment.

        ``None`` if unknown.
        """
        with contextlib.suppress(OSError):
            for entry in (self._proc / str(pid) / "environ").read_bytes().split(b"\0"):
                name, _, value = entry.partition(b"=")
                if name == b"JPY_SESSION_NAME":
                    return os.fsdecode(value)
        return None

    def uses_gpu(self, pid: int) -> bool:
        """Return whether a process has a GPU's device file open; ``False`` if its open files can't be read."""
        with contextlib.suppress(OSError):
            links = (self._proc / str(pid) / "fd").iterdir()
            return any(_target(link).startswith(DEVICE_PREFIXES) for link in links)
        return False

    def describe(self, pid: int) -> ProcessDescription:
        """Return the user, the command and the start time of a process."""
        fields = self._stat(pid)
        key = (pid, fields[19] if fields else "")  # a pid may be reused
        if key not in self._described:
            self._described = {k: v for k, v in self._described.items() if self.exists(k[0])}
            self._described[key] = _describe(pid)
        return self._described[key]

    def _stat(self, pid: int) -> list[str]:
        # The name in parentheses may contain any character. The fields after it: state, parent, group, session, …
        with contextlib.suppress(OSError):
            text = (self._proc / str(pid) / "stat").read_text(errors="replace")
            return text.rpartition(")")[2].split()
        return []


def _ns_pids(status: Path) -> list[int]:
    with contextlib.suppress(OSError, ValueError):
        found = re.search(r"^NSpid:(.*)$", status.read_text(errors="replace"), re.MULTILINE)
        return [int(number) for number in found[1].split()] if found else []
    return []


def _target(link: Path) -> str:
    with contextlib.suppress(OSError):
        return os.readlink(link)
    return ""


def _describe(pid: int) -> ProcessDescription:
    import psutil

    try:
        facts = psutil.Process(pid).as_dict(["username", "cmdline", "name", "create_time"])
    except psutil.Error:
        return ProcessDescription()
    command = _command(facts["cmdline"] or []) or facts["name"]
    return ProcessDescription(_text(facts["username"]), _text(command), facts["create_time"])


def _text(name: str | None) -> str | None:
    """Return a name that JSON can contain: psutil keeps bytes that are not UTF-8 as lone surrogates."""
    return name and name.encode(errors="replace").decode()


def _command(arguments: list[str]) -> str | None:
    # Return only the program and its script or module, because other arguments may contain secrets.
    if not arguments:
        return None
    program = Path(arguments[0]).name
    for index, argument in enumerate(arguments[1:], start=1):
        if argument == "-m" and index + 1 < len(arguments):
            return f"{program} -m {arguments[index + 1]}"[:LONGEST_COMMAND]
        if argument == "-c":
            return f"{program} -c"
        if not argument.startswith("-"):
            return f"{program} {Path(argument).name}"[:LONGEST_COMMAND]
    return program[:LONGEST_COMMAND]
