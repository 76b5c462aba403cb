"""Everything that makes a GPU notebook slow or broken, looked at. A new check is an entry in its subject's file here.

Other packages add theirs through the entry point group ``jupyter_gpuperf.checks``. Standard library
only at module level: workers in foreign environments import this.
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
    driver,
    runtime,
    devices,
    libraries,
    torch_settings,
    variables,
    container,
    host,
    storage,
    packages,
    threads,
    jupyter,
    notebook,
)
"""The subjects, in the order in which people see them."""


def checks_of(subject: ModuleType) -> tuple[Check, ...]:
    """Return the checks that a subject's file declares, in its order."""
    return tuple(each for each in vars(subject).values() if isinstance(each, Check))


CHECKS: tuple[Check, ...] = tuple(each for subject in SUBJECTS for each in checks_of(subject))
"""Every check of this package."""


def subject_of(check: Check) -> str:
    """Return the subject that a check belongs to; ``other`` for those of other packages."""
    found = (each.__name__ for each in SUBJECTS if check in checks_of(each))
    return next(found, "other").rpartition(".")[2]


def all_checks() -> tuple[Check, ...]:
    """Return this package's checks and those of other packages in this environment.

    One that can't be loaded, or that repeats a name, is logged and left out.
    """
    return with_additions(CHECKS, "checks", Check, lambda check: check.name)
