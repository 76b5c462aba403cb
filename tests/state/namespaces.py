"""What notebooks hold, odd things included; and a picture of it that can be compared bit by bit."""

from __future__ import annotations

import collections
import random

import numpy as np
import pytest
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


OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.05),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01),
}


def notebook(optimizer="adamw", *, dropout=True, tied=True):
    torch.manual_seed(1)
    random.seed(1)
    np.random.seed(1)
    model = Odd(dropout=dropout, tied=tied)
    made = OPTIMIZERS[optimizer]([p for p in model.parameters() if p.requires_grad])
    whole = torch.arange(24.0).reshape(4, WIDTH)
    counter = [0]

    def helper():
        counter[0] += 1
        return model(torch.randn(8, WIDTH))

    return {
        "model": model,
        "optimizer": made,
        "schedule": torch.optim.lr_scheduler.StepLR(made, step_size=1, gamma=0.5),
        "scaler": torch.amp.GradScaler("cpu"),
        "whole": whole,
        "view": whole.t()[1:, ::2],
        "half": torch.ones(3, dtype=torch.float16),
        "empty": torch.empty(0, 3),
        "losses": [],
        "settings": {"lr": 0.1, "nested": {"deep": [1, 2]}},
        "queue": collections.deque([1, 2], maxlen=3),
        "names": {"a"},
        "history": collections.defaultdict(list),
        "array": np.arange(5.0),
        "numbers": np.random.default_rng(3),
        "draws": random.Random(5),
        "seeds": torch.Generator().manual_seed(7),
        "slotted": Slotted(model),
        "helper": helper,
        "__name__": "__main__",
    }


def fingerprint(namespace) -> dict:
    """Return all that can be told of a namespace's state, tensors as bytes."""
    picture = _Picture()
    return {
        "torch": torch.get_rng_state().numpy().tobytes(),
        "python": random.getstate(),
        "numpy": str(np.random.get_state()),
        **{
            name: picture.of(namespace[name])
            for name in sorted(namespace)
            if not name.startswith("__")
        },
    }


class _Picture:
    def __init__(self) -> None:
        self._seen: dict[int, int] = {}

    def of(self, value):
        if not isinstance(value, (int, float, str, bool, type(None))):
            if id(value) in self._seen:
                return "again", self._seen[id(value)]
            self._seen[id(value)] = len(self._seen)
        if isinstance(value, torch.Tensor):
            return self._of_tensor(value)
        if isinstance(value, STATEFUL) or hasattr(value, "last_epoch"):
            state = {key: each for key, each in vars(value).items() if "hook" not in key}
            return [(key, self.of(state[key])) for key in sorted(state) if not callable(state[key])]
        if isinstance(value, dict):
            return [(self.of(key), self.of(each)) for key, each in value.items()]
        if isinstance(value, (list, tuple, collections.deque)):
            return [self.of(each) for each in value]
        return self._of_other(value)

    @staticmethod
    def _of_tensor(value):
        gradient = value.grad if value.is_leaf else None
        # Copied first: a tensor that NumPy has seen can't be resized any more.
        return (
            *(str(value.dtype), tuple(value.shape), value.stride(), value.requires_grad),
            value.detach().clone().contiguous().numpy().tobytes(),
            None if gradient is None else gradient.clone().numpy().tobytes(),
        )

    def _of_other(self, value):
        if isinstance(value, torch.Generator):
            return value.get_state().numpy().tobytes()
        if isinstance(value, np.ndarray):
            return value.tobytes()
        if isinstance(value, np.random.Generator):
            return str(value.bit_generator.state)
        if isinstance(value, random.Random):
            return value.getstate()
        if isinstance(value, Slotted):
            return value.count, self.of(value.model)
        if isinstance(value, (set, frozenset)):
            return sorted(map(repr, value))
        return getattr(value, "__name__", None) or repr(value)


@pytest.fixture(autouse=True)
def one_thread():
    """Let these tests run beside others, and put torch's switches back."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
    torch.set_default_dtype(torch.float32)
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.benchmark = False
