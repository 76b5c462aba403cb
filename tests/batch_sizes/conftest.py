"""Runs that end early: how narrow the intervals are is not the subject."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")


@pytest.fixture(autouse=True, scope="session")
def _warm():
    """Load what torch loads with the first step of an optimizer, before the search for garbage of the first module.

    On a busy machine, steps of several threads wait for each other.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    weight = torch.nn.Parameter(torch.zeros(1))
    weight.sum().backward()
    torch.optim.SGD([weight], lr=0.1).step()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def quick(monkeypatch):
    """Time as few steps as possible."""
    monkeypatch.setattr("jupyter_gpuperf.batch_sizes.timing.TARGET_RATIO", 1e9)
    monkeypatch.setattr("jupyter_gpuperf.batch_sizes.timing.MOST_STEPS", 1)
    monkeypatch.setattr("jupyter_gpuperf.measure.interleaved.FEWEST_ROUNDS", 3)
