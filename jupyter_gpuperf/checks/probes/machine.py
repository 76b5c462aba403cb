"""Give checks read-only access to a machine's files, environment variables, programs and packages.

Tests use another root folder, other variables and recorded output of programs. Standard library only.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import Any, Final, NamedTuple, TypeVar, cast

T = TypeVar("T")

COMMAND_SECONDS: Final = 4.0
LARGEST_FILE_BYTES: Final = 4 * 2**20


class CommandResult(NamedTuple):
    """A program's exit code and output; ``code`` is ``None`` if it could not be started or took too long."""

    code: int | None
    out: str = ""
    err: str = ""


class DiskSpace(NamedTuple):
    """A file system's total size, and the space that is free for this user, in bytes."""

    total_bytes: int
    free_bytes: int


def run_command(
    command: Sequence[str], seconds: float, environment: Mapping[str, str]
) -> CommandResult:
    """Run a program without standard input, for at most ``seconds``, and return its exit code and output."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            errors="replace",
            timeout=seconds,
            check=False,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        return CommandResult(None, err=f"{command[0]} did not end within {seconds:g} s")
    except OSError as error:
        return CommandResult(None, err=f"{command[0]}: {error.strerror}")
    return CommandResult(done.returncode, done.stdout, done.stderr)


def disk_space_of(path: Path) -> DiskSpace | None:
    """Return the size of the file system that holds ``path``; ``None`` if it can't be read."""
    with contextlib.suppress(OSError):
        total_bytes, _, free_bytes = shutil.disk_usage(path)
        return DiskSpace(total_bytes, free_bytes)
    return None


@dataclass(kw_only=True)
class Machine:
    """The machine and the Python environment under examination.

    Parameters
    ----------
    root
        The folder used as ``/``.
    environment
        The environment variables of the examined process.
    run_command, disk_space_of
        Functions that run a program and read a file system's size; tests replace them.
    interpreter, package_folders, headers
        The examined Python, its package folders, and the folder of Python.h.
    pid
        The examined process: a notebook's kernel, or this process.
    cpu_count
        The number of CPUs of the machine, regardless of the process's limits.
    folder, home
        The process's working folder, and the user's home folder.
    live
        What a running kernel reported about itself; see :mod:`checks.probes.kernel`.
    server
        What is known about the Jupyter server; see :mod:`checks.probes.server`.
    kernel_name
        The kernel spec that starts the examined Python.
    """

    root: Path = Path("/")
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    run_command: Callable[[Sequence[str], float, Mapping[str, str]], CommandResult] = run_command
    disk_space_of: Callable[[Path], DiskSpace | None] = disk_space_of
    interpreter: str = sys.executable
    package_folders: Sequence[str] = field(default_factory=lambda: list(sys.path))
    headers: str = field(default_factory=lambda: sysconfig.get_paths()["include"])
    pid: int = field(default_factory=os.getpid)
    cpu_count: int = field(default_factory=lambda: os.cpu_count() or 1)
    folder: str = field(default_factory=os.getcwd)
    home: str = field(default_factory=lambda: str(Path("~").expanduser()))
    live: Mapping[str, Any] = field(default_factory=dict)
    server: Mapping[str, Any] = field(default_factory=dict)
    kernel_name: str | None = None
    _cache: dict[object, Any] = field(default_factory=dict)
    _locks: dict[object, threading.Lock] = field(default_factory=dict)

    def actual_path(self, path: str | Path) -> Path:
        """Return the actual path, below ``root``, of a path on the examined machine."""
        return self.root / str(path).lstrip("/") if self.root != Path("/") else Path(path)

    def read(self, path: str | Path) -> str | None:
        """Return a file's text; ``None`` if it can't be read."""
        with contextlib.suppress(OSError, ValueError), self.actual_path(path).open("rb") as file:
            return file.read(LARGEST_FILE_BYTES).decode(errors="replace").strip("\0\n ")
        return None

    def listdir(self, path: str | Path) -> list[str]:
        """Return the sorted names of a folder's entries; an empty list if it can't be read."""
        with contextlib.suppress(OSError):
            return sorted(os.listdir(self.actual_path(path)))
        return []

    def exists(self, path: str | Path) -> bool:
        """Return whether a path exists."""
        with contextlib.suppress(OSError):
            return self.actual_path(path).exists()
        return False

    def realpath(self, path: str | Path) -> str:
        """Return a path with all symbolic links resolved."""
        with contextlib.suppress(OSError):
            return self._below_root(os.path.realpath(self.actual_path(path)))
        return str(path)

    def _below_root(self, path: str) -> str:
        """Return the examined machine's path for an actual path; the inverse of :meth:`actual_path`."""
        return path if self.root == Path("/") else f"/{os.path.relpath(path, self.root)}"

    def disk_space(self, path: str | Path) -> DiskSpace | None:
        """Return the size of the file system that holds ``path``; ``None`` if it can't be read."""
        return self.disk_space_of(self.actual_path(path))

    def which(self, name: str) -> str | None:
        """Return the path of a program on the examined process's ``PATH``; ``None`` if it is not there."""
        folders = self.environment.get("PATH", os.defpath).split(os.pathsep)
        path = os.pathsep.join(str(self.actual_path(each)) for each in folders if each)
        program = shutil.which(name, path=path)
        return program and self._below_root(program)

    def run(self, *command: str, seconds: float = COMMAND_SECONDS) -> CommandResult:
        """Run a program that changes nothing. The result is cached, so each command runs only once."""
        return self.cached(command, lambda: self.run_command(command, seconds, self.environment))

    def probe(self, *command: str, seconds: float) -> tuple[dict[str, Any], str]:
        """Run a Python program; return the JSON object that it prints, and ``""``.

        If it prints none, return ``{}`` and the last line of its error output.
        """
        ran = self.run(self.interpreter, *command, seconds=seconds)
        with contextlib.suppress(ValueError, TypeError):
            return dict(json.loads(ran.out)), ""
        return {}, (ran.err.strip().splitlines() or [f"exit code {ran.code}"])[-1]

    def cached(self, key: object, find: Callable[[], T]) -> T:
        """Return the cached result of ``find``. Concurrent callers wait for the first."""
        with self._locks.setdefault(key, threading.Lock()):
            if key not in self._cache:
                self._cache[key] = find()
            return cast("T", self._cache[key])

    def pip_command(self, action: str, *arguments: str) -> str:
        """Return the command that runs a pip action such as ``install`` for the examined Python."""
        end = " ".join(arguments)
        if action in ("install", "uninstall") and self.is_externally_managed:
            end = f"--break-system-packages {end}"
        if self.has_pip:
            yes = " -y" if action == "uninstall" else ""
            return f"{quote(self.interpreter)} -m pip {action}{yes} {end}"
        return f"uv pip {action} --python {quote(self.interpreter)} {end}"

    def replacement_commands(self, old: Iterable[str], new: str) -> str:
        """Return the commands that uninstall the ``old`` packages from the examined Python and install ``new``."""
        return f"{self.pip_command('uninstall', *old)}\n{self.pip_command('install', new)}"

    @property
    def is_externally_managed(self) -> bool:
        """Return whether pip refuses to change the examined Python, since it belongs to the system, as on Debian."""
        if self.exists(Path(self.interpreter).parent.parent / "pyvenv.cfg"):
            return False
        return any(self.exists(Path(each) / "EXTERNALLY-MANAGED") for each in self.package_folders)

    @property
    def has_pip(self) -> bool:
        """Return whether the examined Python has pip."""
        return any(self.exists(Path(each) / "pip" / "__init__.py") for each in self.package_folders)
