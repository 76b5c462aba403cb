"""Import numpy and torch in the examined environment, and return facts about them. Standard library only."""

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
TORCH_MISSING: Final = not_known("PyTorch is not installed.")

importing_check = partial(check, seconds=30.0)
"""Like ``check``, with time to import torch or numpy: from a cold disk, the import alone can take 20 s."""


def import_facts(machine: Machine) -> dict[str, Any]:
    """Return facts about numpy, torch and the loaded libraries. A running kernel's own torch takes precedence."""
    live = machine.live.get("torch")
    flags = ("--no-torch",) if live else ()
    facts, error = machine.probe(PROBE, *flags, seconds=SECONDS)
    facts = facts or {"numpy": {"error": error}, "torch": {"error": error}}
    return {**facts, "torch": live} if live else facts


def torch_facts(machine: Machine) -> Mapping[str, Any]:
    """Return facts about torch. If it is missing or can't be imported, they contain ``error``."""
    return import_facts(machine).get("torch") or {"error": "missing"}


def no_torch_outcome(machine: Machine) -> Outcome | None:
    """Return an outcome if torch is missing or can't be imported; ``None`` otherwise."""
    error = torch_facts(machine).get("error")
    if error is None:
        return None
    if error == "missing":
        return TORCH_MISSING
    return not_known("PyTorch can't be imported; see the check of its import.")


def loaded_libraries(machine: Machine, pattern: re.Pattern[str]) -> dict[str, list[str]]:
    """Return the paths of the loaded shared libraries whose file names match, keyed by the pattern's first group.

    They are the libraries of the running kernel, or else those that importing numpy and torch loads.
    """
    paths: dict[str, list[str]] = {}
    for path in machine.live.get("libraries") or import_facts(machine).get("libraries", ()):
        if match := pattern.match(Path(path).name):
            paths.setdefault(match[1], []).append(path)
    return paths
