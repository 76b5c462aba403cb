"""What importing numpy and torch shows in the examined environment. Standard library only."""

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
"""Like ``check``, with time to import torch or numpy: from a cold disk the import alone can take twenty seconds."""


def import_facts(machine: Machine) -> dict[str, Any]:
    """Return the probe's facts; what a running kernel reports about its own torch takes precedence."""
    live = machine.live.get("torch")
    flags = ("--no-torch",) if live else ()
    facts, error = machine.probe(PROBE, *flags, seconds=SECONDS)
    facts = facts or {"numpy": {"error": error}, "torch": {"error": error}}
    return {**facts, "torch": live} if live else facts


def torch(machine: Machine) -> Mapping[str, Any]:
    """Return the facts about torch; with ``error`` if it is missing or can't be imported."""
    return import_facts(machine).get("torch") or {"error": "missing"}


def no_torch_outcome(machine: Machine) -> Outcome | None:
    """Return an outcome saying why torch can't be checked; ``None`` if it can."""
    error = torch(machine).get("error")
    if error is None:
        return None
    if error == "missing":
        return TORCH_MISSING
    return not_known("PyTorch can't be imported; see the check of its import.")


def libraries(machine: Machine, pattern: re.Pattern[str]) -> dict[str, list[str]]:
    """Return the paths of loaded shared libraries whose file names match, keyed by the pattern's group.

    These are the libraries of the running kernel, or else those loaded by importing torch.
    """
    paths: dict[str, list[str]] = {}
    for path in machine.live.get("libraries") or import_facts(machine).get("libraries", ()):
        if match := pattern.match(Path(path).name):
            paths.setdefault(match[1], []).append(path)
    return paths
