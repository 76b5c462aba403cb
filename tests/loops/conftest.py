"""A watch of its own for each test, and loaders that are real."""

from __future__ import annotations

import os

import pytest

from jupyter_gpuperf.loops import LoopWatch
from jupyter_gpuperf.loops.loop_watch import silence_in_child


@pytest.fixture
def watching():
    watching = LoopWatch()
    yield watching
    watching.stop()


@pytest.fixture
def loader():
    """Make a DataLoader of so many items."""
    torch = pytest.importorskip("torch")

    def make(items=12, batch_size=4, **options):
        data = torch.utils.data.TensorDataset(torch.arange(float(items)))
        return torch.utils.data.DataLoader(data, batch_size=batch_size, **options)

    return make


@pytest.fixture
def forking(watching):
    os.register_at_fork(after_in_child=lambda: silence_in_child(watching))
    return watching
