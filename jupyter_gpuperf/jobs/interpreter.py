"""Find the Python interpreter that a kernel spec starts."""

from __future__ import annotations

import contextlib
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jupyter_gpuperf.errors import BadRequest, GpuPerfError, NotFound
from jupyter_gpuperf.messages import Message

if TYPE_CHECKING:
    from jupyter_client.kernelspec import KernelSpec

PYTHON_NAME: Final = re.compile(r"(python|pypy)[\d.]*(\.exe)?", re.IGNORECASE)

PYTHON: Final = f"python{sys.version_info.major}"
SERVER_PYTHON_COMMANDS: Final = {"python", PYTHON, f"{PYTHON}.{sys.version_info.minor}"}
"""Commands that Jupyter replaces with the server's own Python."""


@contextlib.contextmanager
def spec_errors(kernel_name: str) -> Iterator[None]:
    """Within the context, convert errors in reading a kernel spec.

    Raises
    ------
    NotFound
        ``unknown_kernel``: there is no such kernel spec.
    BadRequest
        ``kernel_spec_broken``: its file can't be read, or has another shape.
    """
    from jupyter_client.kernelspec import NoSuchKernel

    try:
        yield
    except NoSuchKernel as error:
        message, hint = (
            "There is no kernel spec {kernel!r}.",
            "Run jupyter kernelspec list to see all.",
        )
        raise NotFound("unknown_kernel", message, hint, kernel=kernel_name) from error
    except GpuPerfError:
        raise
    except Exception as error:  # a provider of specs may raise anything
        message = "The kernel spec {kernel!r} can't be read: {error}."
        hint = "Repair its kernel.json, or remove it: jupyter kernelspec remove"
        reason = getattr(error, "strerror", None) or error
        raise BadRequest(
            "kernel_spec_broken", message, hint, kernel=kernel_name, error=reason
        ) from error


def interpreter_of(spec: KernelSpec) -> tuple[str, dict[str, str]]:
    """Return the path of a kernel spec's interpreter, and the environment variables that the spec sets.

    Raises
    ------
    BadRequest
        ``kernel_not_python``, ``kernel_interpreter_missing``, or ``kernel_interpreter_unknown``
        if the spec does not start Python itself but, for example, a shell script.
    UnicodeEncodeError
        A text of the spec is no Unicode; :func:`spec_errors` converts it.
    """
    # A lone surrogate can neither be shown nor be passed on.
    "\0".join(
        [*spec.argv, spec.display_name, spec.language, *spec.env, *map(str, spec.env.values())]
    ).encode()
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
