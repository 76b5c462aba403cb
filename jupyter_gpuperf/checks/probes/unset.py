"""How to unset a variable, depending on where it was set. Standard library only."""

from __future__ import annotations

import shlex

from jupyter_gpuperf.checks.probes.machine import Machine
from jupyter_gpuperf.checks.probes.server import read_json
from jupyter_gpuperf.messages import Message


def unset(machine: Machine, *names: str) -> dict[str, str]:
    """Return ``fix`` and ``then`` of an outcome: unset in the shell, or in the kernel spec that sets them."""
    file = _spec_that_sets(machine, names)
    if file is None:
        return {
            "fix": f"unset {' '.join(names)}",
            "then": Message("Type it in the shell that starts Jupyter, and start Jupyter again."),
        }
    statement = f"[it['env'].pop(name, None) for name in {names!r}]"
    return {
        "fix": line_that_edits(machine.interpreter, file, statement),
        "then": Message("It is set in the kernel's own kernel.json. Then restart the kernel."),
    }


def line_that_edits(interpreter: str, file: str, statement: str) -> str:
    """Return a shell command that edits a JSON file; ``statement`` modifies the loaded object ``it``."""
    program = (
        f"import json; from pathlib import Path; file = Path({file!r}); it = json.loads(file.read_text()); "
        f"{statement}; file.write_text(json.dumps(it, indent=1))"
    )
    return f"{interpreter} -c {shlex.quote(program)}"


def _spec_that_sets(machine: Machine, names: tuple[str, ...]) -> str | None:
    for data in machine.server.get("data_path", []) if machine.kernel_name else []:
        file = f"{data}/kernels/{machine.kernel_name}/kernel.json"
        if machine.exists(file):
            return file if set(names) & set(read_json(machine, file).get("env", {})) else None
    return None
