"""Run all checks in parallel, each with its time limit, and build the report. Standard library only."""

from __future__ import annotations

import logging
import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from jupyter_gpuperf.checks import Check, all_checks, subject_of
from jupyter_gpuperf.checks.declaration import Outcome, not_known
from jupyter_gpuperf.checks.probes import gpus, imports
from jupyter_gpuperf.checks.probes.installed import versions
from jupyter_gpuperf.checks.probes.machine import Machine
from jupyter_gpuperf.messages import with_messages

logger = logging.getLogger(__name__)

SendMessage = Callable[[dict[str, Any]], None]
REQUEST_FIELDS: Final = ("pid", "cpu_count", "folder", "home", "live", "server", "kernel_name")
"""The fields of :class:`Machine` that a request may set."""


def run_request(request: Mapping[str, Any], send: SendMessage) -> None:
    """Run all checks on the machine that ``request["parameters"]`` describes, and send the report."""
    parameters: Mapping[str, Any] = request["parameters"]
    environment = {**os.environ, **parameters.get("environment", {})}
    for name in parameters.get("unset", ()):
        environment.pop(name, None)
    facts = {name: parameters[name] for name in REQUEST_FIELDS if name in parameters}
    machine = Machine(environment=environment, **facts)
    result = {**examine(machine, all_checks()), "kernel_name": machine.kernel_name}
    send(with_messages({"type": "result", "result": result}))


def examine(machine: Machine, checks: Sequence[Check]) -> dict[str, Any]:
    """Run the checks and return the report: each check's outcome, and a description of the environment."""
    began = time.monotonic()
    runs = [_Run(check, machine) for check in checks]
    for run in runs:
        run.start()
    return {
        "checks": [run.finding(began) for run in runs],
        "interpreter": machine.interpreter,
        "environment": _facts(machine, hangs=any(run.is_alive() for run in runs)),
        "packages": dict(sorted(versions(machine).items())),
        "taken_seconds": time.time(),
        "duration_seconds": time.monotonic() - began,
    }


class _Run(threading.Thread):
    """One check in its own thread. A check that hangs is abandoned."""

    def __init__(self, check: Check, machine: Machine) -> None:
        super().__init__(name=check.name, daemon=True)
        self._check = check
        self._machine = machine
        self._outcome = not_known("No result within {seconds:g} s.", seconds=check.seconds)
        self._seconds: float | None = None

    def run(self) -> None:
        """Run the check and store its outcome."""
        began = time.monotonic()
        try:
            outcome = self._check.run(self._machine)
            if not isinstance(outcome, Outcome):
                raise TypeError(f"it returned {outcome!r:.100} instead of an Outcome")
        except (Exception, SystemExit) as error:  # one faulty check must not hide the others
            logger.exception("The check %s failed.", self._check.name)
            outcome = not_known("The check failed: {error!r}.", error=error)
        self._seconds, self._outcome = time.monotonic() - began, outcome

    def finding(self, began: float) -> dict[str, Any]:
        """Wait for the outcome until the time limit, and return it with the check's texts for the report.

        ``began`` is the time at which the checks started, by ``time.monotonic``.
        """
        check = self._check
        self.join(max(0.0, began + check.seconds - time.monotonic()))
        return {
            "id": check.name,
            "subject": subject_of(check),
            "label": check.label,
            **asdict(self._outcome),
            "expected": check.expected,
            "why": check.why,
            "link": check.link,
            "seconds": self._seconds,
        }


def _facts(machine: Machine, *, hangs: bool) -> dict[str, str | None]:
    facts: dict[str, str | None] = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "implementation": sys.implementation.name,
        "cpu_count": str(machine.cpu_count),
    }
    if hangs:  # the commands below may be what hangs
        return facts
    torch = imports.torch_facts(machine)
    return facts | {
        "driver": gpus.driver_version(machine),
        "gpus": ", ".join(each.name for each in gpus.gpus(machine)) or None,
        "torch": torch.get("version"),
        "cuda": torch.get("cuda"),
    }
