"""Find the Python that a kernel spec starts."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

from jupyter_server.utils import ensure_async

from jupyter_gpuperf.errors import NotFound


class KernelPython(NamedTuple):
    """A kernel spec's Python executable, the environment variables that it sets, and its display name."""

    interpreter: str
    environment: dict[str, str]
    title: str


async def python_of(specs: Any, default_name: str, kernel_name: str | None) -> KernelPython:
    """Return the Python of the kernel spec ``kernel_name``; if it is ``None``, that of the default kernel.

    Raises
    ------
    NotFound
        ``unknown_kernel``: there is no such kernel spec.
    BadRequest
        ``kernel_spec_broken``, or as :func:`~jupyter_gpuperf.jobs.interpreter.interpreter_of` raises.
    """
    from jupyter_gpuperf.jobs.interpreter import interpreter_of, spec_errors

    name = kernel_name or default_name
    try:
        with spec_errors(name):
            spec: Any = await ensure_async(specs.get_kernel_spec(name))
            return KernelPython(*interpreter_of(spec), str(spec.display_name or name))
    except NotFound:
        if kernel_name is None:  # a server without any kernel spec still has its own Python
            return KernelPython(sys.executable, {}, name)
        raise
