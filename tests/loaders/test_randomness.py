"""Whether a cell drew random numbers, from whatever source."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from jupyter_gpuperf.loaders.randomness import Randomness

GENERATOR = torch.Generator()
OWN = random.Random(0)
NUMPY = np.random.default_rng(0)
LEGACY = np.random.RandomState(0)

DRAWS = {
    "torch": lambda: torch.rand(2),
    "python": random.random,
    "numpy": lambda: np.random.rand(2),
    "a generator of torch": lambda: torch.rand(2, generator=GENERATOR),
    "a generator of Python": OWN.random,
    "a generator of NumPy": lambda: NUMPY.random(2),
    "an old generator of NumPy": lambda: LEGACY.rand(2),
}


@pytest.mark.parametrize("name", DRAWS)
def test_a_draw_is_seen_and_put_back(name):
    randomness = Randomness(torch, [GENERATOR, OWN, NUMPY, LEGACY])
    assert not randomness.drawn_from()
    DRAWS[name]()
    assert randomness.drawn_from()
    randomness.restore()
    assert not randomness.drawn_from()
