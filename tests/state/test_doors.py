"""``%%amp_profile``, ``headroom``, ``apply`` and the tuner run a user's step: each puts back all that it changed.

``%%amp_profile`` leaves what one ordinary run leaves, the others what was before.
"""

from __future__ import annotations

import contextlib
import itertools
import random

import numpy as np
import pytest
import torch
from things import THINGS, Counter

from jupyter_gpuperf.ab_tests.ab_test import headroom, measure_change
from jupyter_gpuperf.benchmarks.declaration import Context
from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.precision.options import ProfileOptions
from jupyter_gpuperf.precision.profile import run_profile
from jupyter_gpuperf.precision.session import CellFailed, ProfiledCode
from jupyter_gpuperf.tuning.request import TuneRequest
from jupyter_gpuperf.tuning.tune import tune_loader


class World:
    """One of each thing, and a step that changes them all."""

    def __init__(self, error=None, good_steps=0):
        random.seed(1)
        np.random.seed(1)
        torch.manual_seed(1)
        torch.use_deterministic_algorithms(False)
        things = {name: thing.make() for name, thing in THINGS.items()}
        calls = itertools.count()  # goes on, whatever is put back

        def step(batch):
            for name, thing in things.items():
                THINGS[name].change(thing)
            if error is not None and next(calls) >= good_steps:
                raise error

        self.step, self._things = step, things

    def looks(self):
        return {name: THINGS[name].look(thing) for name, thing in self._things.items()}


@pytest.fixture(autouse=True)
def _as_it_was():
    yield
    Counter.of_all = 0
    torch.use_deterministic_algorithms(False)


def loader():
    return torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(torch.arange(64.0)), batch_size=4
    )


def by_headroom(step):
    headroom(torch, loader(), step, steps=2, limit_seconds=1.0)


def by_apply(step):
    measure_change(torch, loader(), step, {"num_workers": 1}, steps=2, limit_seconds=1.0)


def by_the_tuner(step):
    context = Context(progress=lambda ratio, words: None, warn=lambda words: None)
    tune_loader(loader(), "loader", TuneRequest(step=step, budget_seconds=3.0), context)


def by_the_profile(step):
    namespace = {"step": step, "__name__": "__main__"}
    code = compile("step(None)", "<cell>", "exec")
    subject = ProfiledCode(
        body=lambda: exec(code, namespace),
        namespace=namespace,
        code=code,
        hidden=frozenset({"__builtins__", "__name__"}),
    )
    run_profile(subject, ProfileOptions(modes=("fp32", "bf16"), time_limit_seconds=0.2, steps=2))


DOORS = {"headroom": by_headroom, "apply": by_apply, "the tuner": by_the_tuner}
RAISED = {
    RuntimeError: (RuntimeError, GpuPerfError),  # the tuner says that it was the step
    KeyboardInterrupt: KeyboardInterrupt,
}


def difference(now, before):
    return [name for name in before if now[name] != before[name]]


@pytest.mark.parametrize("error", [None, RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("door", DOORS)
def test_all_that_a_step_changed_is_put_back(door, error):
    world = World(error and error("stopped"), good_steps=3)
    before = world.looks()
    if error is None:
        DOORS[door](world.step)
    else:
        with pytest.raises(RAISED[error]):
            DOORS[door](world.step)
    assert difference(world.looks(), before) == []


@pytest.mark.parametrize(
    ("error", "good_steps"), [(None, 0), (RuntimeError, 4), (KeyboardInterrupt, 4)]
)
def test_a_profile_leaves_what_one_run_leaves(error, good_steps):
    twin = World()
    twin.step(None)
    expected = twin.looks()
    Counter.of_all = 0
    world = World(error and error("stopped"), good_steps)
    # A mode that fails is left out; without fp32 there is nothing to hold the others against.
    ends = pytest.raises(error) if error is KeyboardInterrupt else contextlib.suppress(GpuPerfError)
    with ends:
        by_the_profile(world.step)
    assert difference(world.looks(), expected) == []


def test_a_profile_of_what_fails_at_once_leaves_what_was_before():
    world = World(RuntimeError("stopped"))
    before = world.looks()
    with pytest.raises(CellFailed):
        by_the_profile(world.step)
    assert difference(world.looks(), before) == []
