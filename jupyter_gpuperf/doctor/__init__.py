"""Everything that makes a GPU notebook slow or broken, looked at. A new check is an entry in its subject's file here.

Other packages add theirs through the entry point group ``jupyter_gpuperf.checks``. Standard library
only at module level: workers in foreign environments import this.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from jupyter_gpuperf.doctor import (
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
from jupyter_gpuperf.doctor.declaration import Check, Outcome, Status
from jupyter_gpuperf.plugins import with_additions

__all__ = ["CHECKS", "SUBJECTS", "Check", "Outcome", "Status", "all_checks", "subject_of"]

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

CHECKS: tuple[Check, ...] = tuple(check for subject in SUBJECTS for check in subject.CHECKS)
"""Every check of this package."""


def subject_of(check: Check) -> str:
    """Return the subject that a check belongs to; ``other`` for those of other packages."""
    for subject in SUBJECTS:
        if check in subject.CHECKS:
            return subject.__name__.rpartition(".")[2]
    return "other"


def all_checks() -> tuple[Check, ...]:
    """Return this package's checks and those of other packages in this environment.

    One that can't be loaded, or that repeats a name, is logged and left out.
    """
    return with_additions(CHECKS, "checks", Check, lambda check: check.name)


class _Callable(ModuleType):
    """This package, which is also what one calls: ``gpuperf.doctor()``."""

    def __call__(self, kernel: str | None = None) -> Any:  # magics' Report; a worker has no magics
        return import_module("jupyter_gpuperf.client.public").doctor(kernel)


sys.modules[__name__].__class__ = _Callable
