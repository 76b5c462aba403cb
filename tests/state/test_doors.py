"""``%%amp_profile``, ``headroom``, ``apply``, ``fit`` and the tuner run a user's step: each puts back all that it changed.

``%%amp_profile`` leaves what one ordinary run leaves, the others what was before.
"""

from __future__ import annotations

import contextlib
import itertools
import random

import numpy as np
import pytest
import torch
from graphs import RICH, Picture, change, graph
from library_things import LIBRARY_THINGS
from process_things import OPENED, PROCESS_THINGS
from python_things import PYTHON_THINGS
from things import THINGS as FEWER_THINGS
from things import Counter, Thing

from jupyter_gpuperf.ab_tests.ab_test import headroom, measure_change
from jupyter_gpuperf.batch_sizes.fit import FitRequest, fit_batch_size
from jupyter_gpuperf.benchmarks.declaration import Context
from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.precision.options import ProfileOptions
from jupyter_gpuperf.precision.profile import run_profile
from jupyter_gpuperf.precision.profiled_code import ProfiledCode
from jupyter_gpuperf.precision.session import CellFailed
from jupyter_gpuperf.tuning.request import TuneRequest
from jupyter_gpuperf.tuning.tune import tune_loader


def everything():
    """One object of each kind, as they hang together."""
    made = graph(RICH)
    return made, {str(place): each for place, each in enumerate(made)}


def change_everything(them):
    made, names = them
    changes = [(place % 3, place, len(names) - place) for place in range(len(made))]
    change(made, names, changes[len(names) % 3 :])


class Look:
    """A picture that is equal to others without a difference."""

    def __init__(self, them):
        self._picture = Picture(*them)

    def __eq__(self, other):
        return self._picture.difference(other._picture) == []

    __hash__ = None


MORE_THINGS = {**PYTHON_THINGS, **PROCESS_THINGS, **LIBRARY_THINGS}
THINGS = {**FEWER_THINGS, **MORE_THINGS, "all together": Thing(everything, change_everything, Look)}


def own_names():
    """Names of the things of which each world has its own."""
    shared = {name for name, thing in MORE_THINGS.items() if thing.make() is thing.make()}
    return {*FEWER_THINGS, *MORE_THINGS} - shared - {"a special method", "lines of a file"}


class World:
    """One of each thing, and a step that changes them all."""

    def __init__(self, error=None, good_steps=0, names=THINGS):
        random.seed(1)
        np.random.seed(1)
        torch.manual_seed(1)
        torch.use_deterministic_algorithms(False)
        things = {name: THINGS[name].make() for name in names}
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
def _as_it_was(monkeypatch):
    # Few steps and settings: what they leave is the subject, not which is faster.
    monkeypatch.setattr("jupyter_gpuperf.batch_sizes.timing.TARGET_RATIO", 1e9)
    monkeypatch.setattr("jupyter_gpuperf.batch_sizes.timing.MOST_STEPS", 1)
    monkeypatch.setattr("jupyter_gpuperf.measure.interleaved.FEWEST_ROUNDS", 3)
    monkeypatch.setattr("jupyter_gpuperf.measure.resources.usable_cpus", lambda *_: 1.0)
    yield
    OPENED.close()
    Counter.of_all = 0
    torch.use_deterministic_algorithms(False)


pytestmark = pytest.mark.filterwarnings(
    "ignore:.*prototype stage", "ignore:.*beta state", "ignore:.*global hooks"
)


def loader():
    return torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(torch.arange(64.0)), batch_size=4
    )


def by_headroom(step):
    headroom(torch, loader(), step, steps=2, limit_seconds=1.0)


def by_apply(step):
    measure_change(torch, loader(), step, {"num_workers": 1}, steps=2, limit_seconds=1.0)


CONTEXT = Context(progress=lambda ratio, words: None, warn=lambda words: None)


def patiently(run):
    """Run with a time limit, and where a busy machine gets nothing done within it with a longer one."""
    try:
        run(6.0)
    except GpuPerfError as error:
        if error.code == "step_failed":
            raise
        run(20.0)


def by_the_tuner(step):
    patiently(
        lambda seconds: tune_loader(
            loader(), "loader", TuneRequest(step=step, budget_seconds=seconds), CONTEXT
        )
    )


def by_fit(step):
    patiently(
        lambda seconds: fit_batch_size(
            torch, step, loader(), FitRequest(budget_seconds=seconds), CONTEXT
        )
    )


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


DOORS = {"headroom": by_headroom, "apply": by_apply, "fit": by_fit, "the tuner": by_the_tuner}
RAISED = {
    RuntimeError: (RuntimeError, GpuPerfError),  # the tuner and fit say that it was the step
    KeyboardInterrupt: KeyboardInterrupt,
}


def difference(now, before):
    return [name for name in before if now[name] != before[name]]


@pytest.mark.parametrize("error", [None, RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("door", DOORS)
def test_all_that_a_step_changed_is_put_back(door, error):
    world = World(error and error("stopped"), good_steps=1)
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
    twin = World(names=own_names())
    twin.step(None)
    expected = twin.looks()
    Counter.of_all = 0
    world = World(error and error("stopped"), good_steps, own_names())
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


class Counted(torch.utils.data.Dataset):
    """Counts and caches what was asked for, and draws random numbers of its own."""

    def __init__(self):
        self.model = torch.nn.Linear(1, 1)
        self.asked, self.cache, self.numbers = 0, {}, np.random.default_rng(1)

    def __len__(self):
        return 64

    def __getitem__(self, index):
        self.asked += 1
        self.cache[index] = self.numbers.normal()
        return torch.tensor([self.cache[index]])


class Collated:
    """Keeps the sizes of its batches, and a running mean."""

    def __init__(self):
        self.sizes, self.mean = [], torch.zeros(1)

    def __call__(self, items):
        self.sizes.append(len(items))
        self.mean.lerp_(torch.stack(items).mean(0), 0.1)
        return torch.stack(items).float()


class InTurns(torch.utils.data.Sampler):
    """Remembers its epochs."""

    def __init__(self):
        self.epochs = 0

    def __len__(self):
        return 64

    def __iter__(self):
        self.epochs += 1
        return iter(range(64))


class Setup:
    """A loader without workers, whose parts change while it is iterated."""

    def __init__(self):
        self.model, self.collate, self.data = torch.nn.Linear(1, 1), Collated(), Counted()
        self.seeds, self.turns = torch.Generator().manual_seed(1), InTurns()
        self.loader = torch.utils.data.DataLoader(
            self.data,
            batch_size=4,
            sampler=self.turns,
            collate_fn=self.collate,
            generator=self.seeds,
        )

    def looks(self):
        return (
            self.data.asked,
            list(self.data.cache),
            str(self.data.numbers.bit_generator.state),
            list(self.collate.sizes),
            self.collate.mean.item(),
            self.turns.epochs,
            self.seeds.get_state().tolist(),
            self.model.weight.item(),
        )


def tune(subject):
    request = TuneRequest(step=subject.model, budget_seconds=6.0)
    return tune_loader(subject.loader, "loader", request, CONTEXT)


def fit(subject):
    request = FitRequest(budget_seconds=6.0)
    return fit_batch_size(torch, subject.model, subject.loader, request, CONTEXT)


LOADER_DOORS = {
    "headroom": lambda it: headroom(torch, it.loader, it.model, steps=2, limit_seconds=0.5),
    "apply": lambda it: measure_change(
        torch, it.loader, it.model, {"pin_memory": False}, steps=2, limit_seconds=0.5
    ),
    "fit": fit,
    "the tuner": tune,
}


@pytest.mark.parametrize("door", LOADER_DOORS)
def test_what_a_loader_changes_in_this_process_is_put_back(door):
    subject = Setup()
    before = subject.looks()
    LOADER_DOORS[door](subject)
    assert subject.looks() == before


def test_a_dataset_of_too_many_objects_is_tuned_with_a_warning(monkeypatch):
    monkeypatch.setattr("jupyter_gpuperf.state.reachable.MOST_OBJECTS", 3000)
    subject = Setup()
    subject.loader.dataset.rows = [[each] for each in range(4000)]
    answer = tune(subject)
    assert any("changes in this process is not restored" in each for each in answer["warnings"])
