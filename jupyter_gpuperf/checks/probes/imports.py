"""What importing numpy and torch gives in the examined environment. Standard library only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from jupyter_gpuperf.checks.declaration import Outcome, check, not_known
from jupyter_gpuperf.checks.probes.machine import Machine

PROBE: Final = str(Path(__file__).with_name("imports_probe.py"))
SECONDS: Final = 25.0

importing_check = partial(check, seconds=30.0)
"""Makes a check that waits for the import of torch or numpy: from a cold disk that alone can take twenty seconds."""


def imported(machine: Machine) -> dict[str, Any]:
    """Return what the probe found; what a running kernel told of its own torch stands before it."""
    told = machine.live.get("torch")
    flags = ("--no-torch",) if told else ()
    found, died = machine.probe(PROBE, *flags, seconds=SECONDS)
    found = found or {"numpy": {"error": died}, "torch": {"error": died}}
    return {**found, "torch": told} if told else found


def torch(machine: Machine) -> Mapping[str, Any]:
    """Return the facts of torch; with ``error`` where there is none."""
    return imported(machine).get("torch") or {"error": "missing"}


def without_torch(machine: Machine) -> Outcome | None:
    """Return why nothing can be said of torch; ``None`` where it can."""
    match torch(machine).get("error"):
        case None:
            return None
        case "missing":
            return not_known("torch is not installed in this environment.")
    return not_known("torch can't be imported here; the check of the import says why.")


def libraries(machine: Machine, pattern: re.Pattern[str]) -> dict[str, list[str]]:
    """Return the shared libraries in the process whose file names match, by what the pattern's group finds.

    They are those of the running kernel, else those after importing torch.
    """
    found: dict[str, list[str]] = {}
    for path in machine.live.get("libraries") or imported(machine).get("libraries", ()):
        if match := pattern.match(Path(path).name):
            found.setdefault(match[1], []).append(path)
    return found
