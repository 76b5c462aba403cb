"""A manager of real processes, whose worker is a stand-in."""

from __future__ import annotations

import pytest
from job_tools import WORKERS

from jupyter_gpuperf.jobs.manager import JobManager


@pytest.fixture
def make_manager(tmp_path):
    managers = []

    def make(**options) -> JobManager:
        settings = {
            "devices": list,
            "deadline_seconds": 60.0,
            "lock_directory": tmp_path / "locks",
            "worker": [str(WORKERS / "stand_in.py")],
            **options,
        }
        managers.append(JobManager(**settings))
        return managers[-1]

    yield make
    for manager in managers:
        manager.close()


@pytest.fixture
def manager(make_manager) -> JobManager:
    return make_manager()
