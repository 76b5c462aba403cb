"""Runs all checks at once, each for as long as it may take, and makes a report of it. Standard library only."""

from __future__ import annotations

import logging
import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from jupyter_gpuperf.checks import Check, Outcome, all_checks, subject_of
from jupyter_gpuperf.checks.declaration import not_known
from jupyter_gpuperf.checks.probes import gpus, imports
from jupyter_gpuperf.checks.probes.installed import versions
from jupyter_gpuperf.checks.probes.machine import Machine

logger = logging.getLogger(__name__)

Say = Callable[[dict[str, Any]], None]
TOLD: Final = ("pid", "cpu_count", "folder", "home", "live", "server", "kernel_name")
"""What the one who asks may tell of the machine."""


def run_request(request: Mapping[str, Any], say: Say) -> None:
    """Examine what ``{"parameters": {…}}`` tells, and say the result."""
    told: Mapping[str, Any] = request["parameters"]
    environment = {**os.environ, **told.get("environment", {})}
    for name in told.get("unset", ()):
        environment.pop(name, None)
    machine = Machine(
        environment=environment, **{name: told[name] for name in TOLD if name in told}
    )
    report = examine(machine, all_checks())
    say({"type": "result", "result": {**report, "kernel_name": told.get("kernel_name")}})


def examine(machine: Machine, checks: Sequence[Check]) -> dict[str, Any]:
    """Return the report: every check's outcome, and what the environment is."""
    began = time.monotonic()
    runs = [_Run(check, machine) for check in checks]
    for run in runs:
        run.start()
    findings = [run.finding(began) for run in runs]
    return {
        "checks": findings,
        "interpreter": machine.interpreter,
        "environment": _facts(machine, patient=all(run.ended.is_set() for run in runs)),
        "packages": dict(sorted(versions(machine).items())),
        "taken_seconds": time.time(),
        "duration_seconds": time.monotonic() - began,
    }


class _Run:
    """One check in a thread of its own; one that hangs is left behind."""

    def __init__(self, check: Check, machine: Machine) -> None:
        self._check = check
        self._machine = machine
        self._outcome: Outcome | None = None
        self._seconds: float | None = None
        self.ended = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, name=self._check.name, daemon=True).start()

    def _run(self) -> None:
        began = time.monotonic()
        try:
            outcome = self._check.run(self._machine)
        except (Exception, SystemExit) as error:  # a check's own defect must not hide the others
            logger.exception("The check %s failed.", self._check.name)
            outcome = not_known(f"The check itself failed: {type(error).__name__}: {error}.")
        self._seconds, self._outcome = time.monotonic() - began, outcome
        self.ended.set()

    def finding(self, began: float) -> dict[str, Any]:
        """Wait for the outcome, and return it as it goes over the wire."""
        self.ended.wait(max(0.0, began + self._check.seconds - time.monotonic()))
        check, outcome = self._check, self._outcome
        if outcome is None:
            outcome = not_known(f"Nothing was found within {check.seconds:g} s.")
        return {
            "id": check.name,
            "subject": subject_of(check),
            "label": check.label,
            "status": outcome.status,
            "found": outcome.found,
            "expected": outcome.expected or check.expected,
            "why": check.why,
            "fix": outcome.fix,
            "then": outcome.then,
            "link": check.link,
            "seconds": self._seconds,
        }


def _facts(machine: Machine, *, patient: bool) -> dict[str, str | None]:
    facts: dict[str, str | None] = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "implementation": sys.implementation.name,
        "cpu_count": str(machine.cpu_count),
    }
    if not patient:  # something hangs: asking it again would hang, too
        return facts
    torch = imports.torch(machine)
    return facts | {
        "driver": gpus.driver_version(machine),
        "gpus": ", ".join(each.name for each in gpus.gpus(machine)) or None,
        "torch": torch.get("version"),
        "cuda": torch.get("cuda"),
    }
