"""What code changes, each thing alone: how it is made, how a step changes it, and how it looks, to the bit."""

from __future__ import annotations

import array
import collections
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import torch
from namespaces import fingerprint
from torch import nn


class Thing(NamedTuple):
    """One kind of state."""

    make: Callable[[], Any]
    change: Callable[[Any], object]
    look: Callable[[Any], Any] = lambda thing: fingerprint({"thing": thing})


class Counter:
    """Counts in its instance, in its class, and in what it holds."""

    of_all = 0

    def __init__(self) -> None:
        self.calls, self.best = 0, {"loss": 9.0}

    def __call__(self) -> None:
        self.calls += 1
        type(self).of_all += 1
        self.best["loss"] /= 2

    def looks(self):
        return self.calls, self.of_all, dict(self.best), sorted(vars(self))


class Noting(nn.Linear):
    """A model with a list of its own."""

    def __init__(self) -> None:
        super().__init__(3, 3)
        self.seen = []

    def forward(self, inputs):
        self.seen.append(float(inputs.sum()))
        return super().forward(inputs)


def training(optimizer=torch.optim.AdamW, model=None, scaled=False):
    torch.manual_seed(3)
    model = model or nn.Sequential(Noting(), nn.BatchNorm1d(3), nn.Dropout(0.5))
    own = optimizer(model.parameters(), lr=0.1)
    return SimpleNamespace(
        model=model,
        optimizer=own,
        schedule=torch.optim.lr_scheduler.StepLR(own, 1, 0.5),
        scaler=torch.amp.GradScaler("cpu", init_scale=4.0, growth_interval=1, enabled=scaled),
    )


def step_of(trained):
    loss = trained.model(torch.ones(4, 3)).square().mean()
    trained.scaler.scale(loss).backward()
    trained.scaler.step(trained.optimizer)
    trained.scaler.update()
    trained.schedule.step()


def looks_of(trained):
    return fingerprint({**vars(trained), "scale": trained.scaler.state_dict()})


def stepped(trained):
    step_of(trained)
    return trained


def grow(values):
    values *= 1.01  # a fast machine takes thousands of steps, and 2**1024 is no number


def counting():
    counting.calls += 1


def compiled():
    inner = nn.Linear(3, 3)
    return SimpleNamespace(inner=inner, outer=torch.compile(inner, backend="eager"))


def descend(pair):
    pair.outer(torch.ones(1, 3)).sum().backward()
    with torch.no_grad():
        pair.inner.weight.sub_(pair.inner.weight.grad)


def random_bits(generator):
    return str(generator.state)


THINGS = {
    "an array": Thing(lambda: np.arange(5.0), grow),
    "a view of an array": Thing(lambda: np.arange(12.0).reshape(3, 4)[::2, 1:], grow),
    "an array of Fortran's order": Thing(lambda: np.asfortranarray(np.eye(3)), grow),
    "an array of objects": Thing(
        lambda: np.array([[1], {"a": 2}], dtype=object),
        lambda them: them[0].append(3),
        lambda them: repr(them.tolist()),
    ),
    "a generator of NumPy": Thing(lambda: np.random.default_rng(1), lambda it: it.normal(size=3)),
    "an old generator of NumPy": Thing(
        lambda: np.random.RandomState(1), lambda it: it.normal(), lambda it: str(it.get_state())
    ),
    "bits of NumPy": Thing(lambda: np.random.PCG64(1), lambda it: it.random_raw(), random_bits),
    "a generator of Python": Thing(lambda: random.Random(1), lambda it: it.gauss(0, 1)),
    "a generator of torch": Thing(
        lambda: torch.Generator().manual_seed(1), lambda it: torch.rand(2, generator=it)
    ),
    "a drawing method": Thing(
        lambda: np.random.default_rng(1).normal,
        lambda draw: draw(),
        lambda draw: str(draw.__self__.bit_generator.state),
    ),
    "NumPy's shared generator": Thing(lambda: None, lambda _: np.random.rand(3)),
    "Python's shared generator": Thing(lambda: None, lambda _: random.random()),
    "torch's shared generator": Thing(lambda: None, lambda _: torch.rand(3)),
    "a list": Thing(list, lambda them: them.append(1.0)),
    "a long list": Thing(lambda: [0.0] * 5000, lambda them: them.append(1.0)),
    "a list's append": Thing(lambda: [].append, lambda add: add(1), lambda add: len(add.__self__)),
    "a dictionary": Thing(
        lambda: {"a": [1]}, lambda them: (them.setdefault("a", []).append(2), them.pop("a"))
    ),
    "an ordered dictionary": Thing(
        lambda: collections.OrderedDict(a=1, b=2), lambda them: them.move_to_end("a")
    ),
    "a counter of Python's": Thing(collections.Counter, lambda them: them.update("abc")),
    "a set": Thing(lambda: {1, 2}, lambda them: them.add(3)),
    "a queue": Thing(lambda: collections.deque([1, 2], maxlen=2), lambda them: them.append(3)),
    "bytes": Thing(lambda: bytearray(b"abc"), lambda them: them.extend(b"d"), bytes),
    "numbers in a row": Thing(
        lambda: array.array("d", [1.0]), lambda them: them.append(2.0), lambda them: them.tolist()
    ),
    "an object that counts": Thing(Counter, lambda it: it(), Counter.looks),
    "an attribute that is new": Thing(Counter, lambda it: setattr(it, "fresh", 1), Counter.looks),
    "a tensor": Thing(lambda: torch.arange(6.0), grow),
    "a view of a tensor": Thing(lambda: torch.arange(6.0).reshape(2, 3).t()[1:], grow),
    "a sparse tensor": Thing(
        lambda: torch.eye(3).to_sparse(), grow, lambda it: it.to_dense().tolist()
    ),
    "a training": Thing(training, step_of, looks_of),
    "a training under way": Thing(lambda: stepped(training()), step_of, looks_of),
    "momentum": Thing(
        lambda: training(lambda own, lr: torch.optim.SGD(own, lr=lr, momentum=0.9)),
        step_of,
        looks_of,
    ),
    "a gradient scaler": Thing(lambda: training(scaled=True), step_of, looks_of),
    "a compiled model": Thing(
        compiled, descend, lambda pair: fingerprint({"inner": pair.inner, "size": len(vars(pair))})
    ),
    "a model's mode": Thing(
        lambda: nn.Linear(2, 2),
        lambda it: it.eval(),
        lambda it: (it.training, fingerprint({"it": it})),
    ),
    "torch's switches": Thing(
        lambda: None,
        lambda _: torch.use_deterministic_algorithms(True, warn_only=True),
        lambda _: torch.get_deterministic_debug_mode(),
    ),
}
