"""Suggest how to unset a variable, depending on where it is set. Standard library only."""

from __future__ import annotations

import shlex
from typing import Final

from jupyter_gpuperf.checks.probes.machine import Machine
from jupyter_gpuperf.checks.probes.server import read_json
from jupyter_gpuperf.messages import Message

SET_EARLY: Final = Message(
    "Set it before Jupyter starts, or with %env before NumPy and PyTorch are imported."
)
"""Advice for a variable that is read only once, at import."""


def unset_advice(machine: Machine, *names: str) -> dict[str, str]:
    """Return ``fix`` and ``then`` for unsetting variables, in the shell or in the kernel spec that sets them."""
    file = _spec_that_sets(machine, names)
    if file is None:
        then = Message("Run it in the shell that starts Jupyter, then restart Jupyter.")
        return {"fix": f"unset {' '.join(names)}", "then": then}
    statement = f"[it['env'].pop(name, None) for name in {names!r}]"
    then = Message("The kernel's kernel.json sets it. After the change, restart the kernel.")
    return {"fix": edit_command(machine.interpreter, file, statement), "then": then}


def edit_command(interpreter: str, file: str, statement: str) -> str:
    """Return a shell command that edits a JSON file; ``statement`` modifies the loaded object ``it``."""
    program = (
        f"import json; from pathlib import Path; file = Path({file!r}); it = json.loads(file.read_text()); "
        f"{statement}; file.write_text(json.dumps(it, indent=1))"
    )
    return f"{shlex.quote(interpreter)} -c {shlex.quote(program)}"


def _spec_that_sets(machine: Machine, names: tuple[str, ...]) -> str | None:
    for data in machine.server.get("data_path", []) if machine.kernel_name else []:
        file = f"{data}/kernels/{machine.kernel_name}/kernel.json"
        if machine.exists(file):
            return file if set(names) & set(read_json(machine, file).get("env", {})) else None
    return None
