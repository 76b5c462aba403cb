"""Which Python a kernel spec runs."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from jupyter_gpuperf.errors import BadRequest

PYTHON_NAME: Final = re.compile(r"(python|pypy)[\d.]*(\.exe)?", re.IGNORECASE)

OUR_OWN: Final = {
    "python",
    f"python{sys.version_info.major}",
    f"python{sys.version_info.major}.{sys.version_info.minor}",
}
"""Names that Jupyter takes to mean the server's own Python."""


class KernelSpec(Protocol):
    """The part of Jupyter's kernel spec that matters here."""

    argv: Sequence[str]
    env: Mapping[str, str]
    language: str
    display_name: str


def interpreter_of(spec: KernelSpec) -> tuple[str, dict[str, str]]:
    """Return a kernel spec's interpreter, and the variables that it sets.

    Raises
    ------
    BadRequest
        ``kernel_not_python``, ``kernel_interpreter_missing``, or ``kernel_interpreter_unknown``
        when the spec starts something else, like a shell script, that starts Python.
    """
    if spec.language.lower() != "python":
        raise BadRequest(
            "kernel_not_python",
            f"The kernel {spec.display_name!r} runs {spec.language or 'another language'}.",
            "Choose a Python kernel.",
        )
    command = spec.argv[0] if spec.argv else ""
    environment = {name: str(value) for name, value in spec.env.items()}
    if command in OUR_OWN:
        return sys.executable, environment
    if not PYTHON_NAME.fullmatch(Path(command).name):
        raise BadRequest(
            "kernel_interpreter_unknown",
            f"The kernel {spec.display_name!r} starts {command!r}, not a Python directly.",
            "Choose a kernel whose spec starts Python itself, or run the magic inside this one.",
        )
    found = shutil.which(command)
    if found is None:
        raise BadRequest(
            "kernel_interpreter_missing",
            f"The kernel {spec.display_name!r} starts {command}, which isn't there.",
            "Its environment was removed: jupyter kernelspec remove, or install it again.",
        )
    return found, environment
