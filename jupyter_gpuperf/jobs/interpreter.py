"""Find the Python interpreter that a kernel spec starts."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.messages import Message

if TYPE_CHECKING:
    from jupyter_client.kernelspec import KernelSpec

PYTHON_NAME: Final = re.compile(r"(python|pypy)[\d.]*(\.exe)?", re.IGNORECASE)

PYTHON: Final = f"python{sys.version_info.major}"
SERVER_PYTHON_COMMANDS: Final = {"python", PYTHON, f"{PYTHON}.{sys.version_info.minor}"}
"""Commands that Jupyter replaces with the server's own Python."""


def interpreter_of(spec: KernelSpec) -> tuple[str, dict[str, str]]:
    """Return the path of a kernel spec's interpreter, and the environment variables that the spec sets.

    Raises
    ------
    BadRequest
        ``kernel_not_python``, ``kernel_interpreter_missing``, or ``kernel_interpreter_unknown``
        if the spec does not start Python itself but, for example, a shell script.
    """
    command = spec.argv[0] if spec.argv else ""
    facts = {"kernel": spec.display_name, "command": command}
    if spec.language.lower() != "python":
        facts["language"] = spec.language or Message("another language")
        message, hint = "The kernel {kernel!r} runs {language}.", "Choose a Python kernel."
        raise BadRequest("kernel_not_python", message, hint, **facts)
    environment = {name: str(value) for name, value in spec.env.items()}
    if command in SERVER_PYTHON_COMMANDS:
        return sys.executable, environment
    if not PYTHON_NAME.fullmatch(Path(command).name):
        message = "The kernel {kernel!r} starts {command!r}, not Python directly."
        hint = "Choose a kernel whose spec starts Python, or run the magic in this kernel."
        raise BadRequest("kernel_interpreter_unknown", message, hint, **facts)
    interpreter = shutil.which(command)
    if interpreter is None:
        message = "The kernel {kernel!r} starts {command}, which does not exist."
        hint = "Reinstall its environment, or remove the kernel: jupyter kernelspec remove"
        raise BadRequest("kernel_interpreter_missing", message, hint, **facts)
    return interpreter, environment
