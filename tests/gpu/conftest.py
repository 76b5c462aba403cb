"""Tests that need a real NVIDIA GPU: they say that they are skipped where there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent)]  # test modules import what is beside them by name


def pytest_configure(config):
    config.addinivalue_line("markers", "gpu: needs a real NVIDIA GPU")
    config.addinivalue_line("markers", "seconds(count): the longest that a test may take")


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.gpu)


@pytest.fixture(autouse=True, scope="session")
def nvidia_smi():
    """Ask nvidia-smi: the reference that readings are held against. In a dry run there is none."""
    if os.environ.get("GPUPERF_DRY"):
        return None
    if shutil.which("nvidia-smi") is None:
        pytest.skip("there is no NVIDIA GPU on this machine")

    def query(*fields: str) -> dict[str, list[str]]:
        answer = subprocess.run(
            [
                "nvidia-smi",
                f"--query-gpu=uuid,{','.join(fields)}",
                "--format=csv,noheader,nounits",
            ],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        rows = [[cell.strip() for cell in line.split(",")] for line in answer.splitlines()]
        return {uuid: values for uuid, *values in rows}

    return query
