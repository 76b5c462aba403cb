"""What notebooks hold, odd things included; and a picture of it that can be compared bit by bit."""

from __future__ import annotations

import collections
import random
import sys

import numpy as np
import torch
from torch import nn

WIDTH = 6
STATEFUL = (nn.Module, torch.optim.Optimizer, torch.amp.GradScaler)


class Odd(nn.Module):
    """A model with all that models have: shared weights, buffers, a view, a counter, a frozen part."""

    def __init__(self, *, dropout: bool = True, tied: bool = True) -> None:
        super().__init__()
        self.first = nn.Linear(WIDTH, WIDTH)
        self.norm = nn.BatchNorm1d(WIDTH)
        self.drop = nn.Dropout(0.3 if dropout else 0.0)
        self.second = nn.Linear(WIDTH, WIDTH)
        if tied:
            self.second.weight = self.first.weight
        self.second.bias.requires_grad_(False)
        self.calls = 0
        self.seen = []
        self.register_buffer("window", torch.zeros(4, WIDTH))
        self.row = self.window[0]  # a view of a buffer

    def forward(self, inputs):
        self.calls += 1
        self.seen.append(float(inputs.detach().sum()))
        self.row.add_(1.0)
        return self.second(self.drop(self.norm(self.first(inputs)).relu()))


class Slotted:
    """An object without a dictionary."""

    __slots__ = ("count", "model")

    def __init__(self, model) -> None:
        self.count, self.model = 0, model


def fingerprint(namespace) -> dict:
    """Return all that can be told of a namespace's state, tensors as bytes."""
    found = {"torch": torch.get_rng_state().numpy().tobytes(), "python": random.getstate()}
    found["numpy"] = str(np.random.get_state())
    seen: dict[int, int] = {}

    def of(value, depth=0):
        if id(value) in seen and not isinstance(value, (int, float, str, bool, type(None))):
            return ("again", seen[id(value)])
        seen[id(value)] = len(seen)
        if isinstance(value, torch.Tensor):
            gradient = value.grad if value.is_leaf else None
            return (
                str(value.dtype),
                tuple(value.shape),
                value.stride(),
                value.requires_grad,
                value.detach().contiguous().numpy().tobytes(),
                None if gradient is None else gradient.numpy().tobytes(),
            )
        if isinstance(value, torch.Generator):
            return value.get_state().numpy().tobytes()
        if isinstance(value, np.ndarray):
            return value.tobytes()
        if isinstance(value, np.random.Generator):
            return str(value.bit_generator.state)
        if isinstance(value, random.Random):
            return value.getstate()
        if isinstance(value, dict):
            return [(of(key), of(each)) for key, each in value.items()]
        if isinstance(value, (list, tuple, collections.deque)):
            return [of(each) for each in value]
        if isinstance(value, (set, frozenset)):
            return sorted(map(repr, value))
        if isinstance(value, STATEFUL) or hasattr(value, "last_epoch"):
            state = {key: each for key, each in vars(value).items() if "hook" not in key}
            return [(key, of(state[key])) for key in sorted(state) if not callable(state[key])]
        if isinstance(value, Slotted):
            return value.count, of(value.model)
        if callable(value) or isinstance(value, type(sys)):
            return value.__name__
        return repr(value)

    for name in sorted(namespace):
        if not name.startswith("__"):
            found[name] = of(namespace[name])
    return found
