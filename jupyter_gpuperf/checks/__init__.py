"""Checks for what makes a GPU notebook slow or broken; each subject has its own module.

To add a check, write a function under ``@check(…)`` in its subject's module. Other packages add checks through the
entry point group ``jupyter_gpuperf.checks``. Use only the standard library at module level: worker processes
in other environments import this.
"""

from __future__ import annotations

from types import ModuleType

from jupyter_gpuperf.checks import (
    container,
    devices,
    driver,
    host,
    jupyter,
    libraries,
    notebook,
    packages,
    runtime,
    storage,
    threads,
    torch_settings,
    variables,
)
from jupyter_gpuperf.checks.declaration import Check, Outcome
from jupyter_gpuperf.plugins import with_additions

__all__ = ["CHECKS", "SUBJECTS", "Check", "Outcome", "all_checks", "checks_of", "subject_of"]

SUBJECTS: tuple[ModuleType, ...] = (
    *(driver, runtime, devices, libraries, torch_settings, variables, container),
    *(host, storage, packages, threads, jupyter, notebook),
)
"""The modules that declare checks, in display order."""


def checks_of(subject: ModuleType) -> tuple[Check, ...]:
    """Return the checks that a subject's module declares, in source order."""
    return tuple(each for each in vars(subject).values() if isinstance(each, Check))


CHECKS: tuple[Check, ...] = tuple(each for subject in SUBJECTS for each in checks_of(subject))
"""All checks of this package, in display order."""


def subject_of(check: Check) -> str:
    """Return the name of the subject that a check belongs to; ``other`` for checks of other packages."""
    names = (each.__name__ for each in SUBJECTS if check in checks_of(each))
    return next(names, "other").rpartition(".")[2]


def all_checks() -> tuple[Check, ...]:
    """Return the checks of this package, and those that other packages in this environment add.

    A check that can't be loaded, or whose name is already taken, is logged and skipped.
    """
    return with_additions(CHECKS, "checks", Check, lambda check: check.name)
