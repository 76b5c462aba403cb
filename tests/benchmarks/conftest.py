"""Running our benchmarks: for real in a process of their own, or in this one up to a refusal."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import warnings

import pytest

from jupyter_gpuperf.benchmarks.running import run_request
from jupyter_gpuperf.measure import resources

SCRIPT = """
import json, sys
from jupyter_gpuperf.benchmarks.running import run_request
run_request(json.loads(sys.argv[1]), lambda message: print(json.dumps(message), flush=True))
"""


@pytest.fixture(scope="session")
def run_on_the_processor():
    """Run a benchmark without any GPU, in a process of its own, ``before`` first; return what it says."""

    def run(benchmark, *, before="", **parameters):
        request = json.dumps({"benchmark": benchmark, "parameters": parameters})
        finished = subprocess.run(
            [sys.executable, "-c", before + SCRIPT, request],
            # One thread: several wait for each other, which takes many times as long on a busy machine.
            env={"OMP_NUM_THREADS": "1", **os.environ, "CUDA_VISIBLE_DEVICES": ""},
            stdout=subprocess.PIPE,
            check=True,  # and no limit of its own: that of the test ends both
        )
        return [json.loads(line) for line in finished.stdout.splitlines()]

    return run


@pytest.fixture(scope="session")
def _torch():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of a NumPy that it can do without
        importlib.import_module("torch")


@pytest.fixture
def no_gpu(_torch, monkeypatch):
    """Have torch see no GPU, in this process."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)


@pytest.fixture
def refusal_of(_torch):
    """Run a benchmark that can't start, in this process; return the refusal."""

    def run(benchmark, **parameters):
        said = []
        run_request({"benchmark": benchmark, "parameters": parameters}, said.append)
        assert said[-1]["type"] == "error"
        return said[-1]

    return run


@pytest.fixture
def machine(monkeypatch):
    """Make this a machine of so much memory, shared memory and processors."""

    def pretend(*, memory_bytes=None, shared_bytes=None, cpus=64.0):
        monkeypatch.setattr(resources, "available_memory_bytes", lambda: memory_bytes)
        monkeypatch.setattr(resources, "shared_memory_free_bytes", lambda: shared_bytes)
        monkeypatch.setattr(resources, "usable_cpus", lambda: cpus)

    return pretend
