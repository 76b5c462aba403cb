"""Find the Python that a kernel spec runs."""

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
OUR_OWN: Final = {"python", PYTHON, f"{PYTHON}.{sys.version_info.minor}"}
"""Names that Jupyter replaces by the server's own Python."""


def interpreter_of(spec: KernelSpec) -> tuple[str, dict[str, str]]:
    """Return a kernel spec's interpreter, and the variables that it sets.

    Raises
    ------
    BadRequest
        ``kernel_not_python``, ``kernel_interpreter_missing``, or ``kernel_interpreter_unknown``
        if the spec starts something else that starts Python, such as a shell script.
    """
    if spec.language.lower() != "python":
        message = Message(
            "The kernel {display_name!r} runs {language}.",
            display_name=spec.display_name,
            language=spec.language or "another language",
        )
        raise BadRequest("kernel_not_python", message, "Choose a Python kernel.")
    command = spec.argv[0] if spec.argv else ""
    environment = {name: str(value) for name, value in spec.env.items()}
    if command in OUR_OWN:
        return sys.executable, environment
    if not PYTHON_NAME.fullmatch(Path(command).name):
        message = Message(
            "The kernel {display_name!r} starts {command!r}, not a Python directly.",
            display_name=spec.display_name,
            command=command,
        )
        hint = "Choose a kernel whose spec starts Python itself, or run the magic inside this one."
        raise BadRequest("kernel_interpreter_unknown", message, hint)
    found = shutil.which(command)
    if found is None:
        message = Message(
            "The kernel {display_name!r} starts {command}, which isn't there.",
            display_name=spec.display_name,
            command=command,
        )
        hint = "Its environment was removed: jupyter kernelspec remove, or install it again."
        raise BadRequest("kernel_interpreter_missing", message, hint)
    return found, environment
