"""Tests that need a real NVIDIA GPU: they say that they are skipped where there is none."""

from __future__ import annotations

import shutil
import subprocess

import pytest


def pytest_collection_modifyitems(items):
    for item in items:
        if "tests/gpu/" in item.nodeid:
            item.add_marker(pytest.mark.gpu)


@pytest.fixture(autouse=True, scope="session")
def nvidia_smi():
    """Ask nvidia-smi: the reference that readings are held against."""
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
