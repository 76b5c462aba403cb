"""What the user wants to run, as the words of a command."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from jupyter_gpuperf.errors import BadRequest


def command_of(words: Sequence[str], *, is_module: bool = False) -> list[str]:
    """Return the command: a script or a module with this Python, or a program such as ``torchrun`` as it is.

    Raises
    ------
    BadRequest
        ``usage``: no word is left, or the first one is neither a script nor a program.
    """
    if words[:1] == ["--"]:
        words = words[1:]
    if not words:
        message, hint = "There is nothing to run.", "See: jupyter gpuperf run --help"
        raise BadRequest("usage", message, hint)
    if is_module:
        return [sys.executable, "-m", *words]
    first = words[0]
    is_python = first.endswith((".py", ".pyz")) or _is_package(Path(first))
    if not is_python and shutil.which(first):
        return [*words]
    if Path(first).exists():
        return [sys.executable, *words]
    message = "There is no script and no program {word}."
    hint = "Check the path. A module is run with -m: jupyter gpuperf run -m MODULE"
    raise BadRequest("usage", message, hint, word=first)


def name_of(command: Sequence[str]) -> str:
    """Return what a run of this command is called: ``train.py``, ``-m package``, ``torchrun train.py``."""
    words = [Path(command[0]).name, *command[1:]]
    if command[0] == sys.executable:
        return f"-m {words[2]}" if words[1] == "-m" else Path(words[1]).name
    scripts = [Path(word).name for word in words[1:] if word.endswith(".py")]
    return " ".join([words[0], *scripts[:1]])


def _is_package(path: Path) -> bool:
    return (path / "__main__.py").is_file()
