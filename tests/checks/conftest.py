"""Machines to examine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from machines import machine_of

from jupyter_gpuperf.checks import CHECKS, Outcome


@pytest.fixture
def make(tmp_path):
    """Make a healthy machine with one H100, changed by what is given; see :func:`machine_of`."""
    return lambda **changes: machine_of(tmp_path / "root", **changes)


@pytest.fixture
def run(make):
    """Run one check on a machine made of what is given."""
    by_name = {check.name: check for check in CHECKS}

    def run(name: str, **changes) -> Outcome:
        return by_name[name].run(make(**changes))

    return run
