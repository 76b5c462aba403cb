"""A loader made like the user's own: same data, same order of drawing, and nothing of the user's moves."""

from __future__ import annotations

import itertools

import pytest
import torch
from kinds import Fabric, Moving, OneShot, OtherMake, Pipeline
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    TensorDataset,
)

from jupyter_gpuperf.benchmarks import Context
from jupyter_gpuperf.benchmarks.dataloader import run_on
from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.loaders.endless import (
    loader_and_data,
    loader_like,
    loader_settings,
)
from jupyter_gpuperf.loaders.randomness import random_state_restored

DATA = TensorDataset(torch.arange(10))
LIMITS = {"rigorous": False, "time_limit_seconds": 1.0}


def like(subject, **given):
    return loader_like(subject, loader_settings(subject, given), hang_seconds=10)


def first(loader, count):
    return [batch[0].tolist() for batch in itertools.islice(loader, count)]


def test_it_has_the_same_batches_and_goes_on_where_the_data_ends():
    own = DataLoader(DATA, batch_size=4, drop_last=True)
    assert first(like(own), 4) == [[0, 1, 2, 3], [4, 5, 6, 7]] * 2


def test_the_users_generator_does_not_notice():
    generator = torch.Generator().manual_seed(7)
    own = DataLoader(DATA, batch_size=5, shuffle=True, generator=generator)
    before = generator.get_state()
    mine = first(like(own), 2)
    assert torch.equal(generator.get_state(), before)
    assert first(own, 2) == mine  # and it draws what it would have drawn


def test_random_states_are_put_back():
    before = torch.get_rng_state()
    with random_state_restored():
        first(like(DataLoader(DATA, batch_size=2, shuffle=True)), 9)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "own",
    [
        DataLoader(DATA, batch_size=2, sampler=DistributedSampler(DATA, 2, 1, shuffle=False)),
        DataLoader(DATA, batch_sampler=BatchSampler(SequentialSampler(DATA), 3, False)),
        DataLoader(DATA, batch_size=None, sampler=SequentialSampler(DATA)),
    ],
    ids=["distributed", "batch sampler", "no batching"],
)
def test_its_sampler_is_like_the_users(own):
    expected = [batch[0].tolist() for batch in own]
    assert first(like(own), len(expected)) == expected


def test_what_is_asked_for_takes_the_place_of_what_the_loader_has():
    own = DataLoader(DATA, batch_size=4, num_workers=0)
    settings = loader_settings(own, {"workers": 2, "prefetch_factor": 3, "rigorous": True})
    assert settings == {
        "batch_size": 4,
        "workers": 2,
        "prefetch_factor": 3,
        "pin_memory": False,
    }
    made = loader_like(own, settings, hang_seconds=10)
    assert (made.num_workers, made.prefetch_factor, made.timeout) == (2, 3, 10)


def test_batches_that_an_own_sampler_makes_keep_their_size():
    class Pairs(BatchSampler):
        pass

    own = DataLoader(DATA, batch_sampler=Pairs(RandomSampler(DATA), 2, False))
    with pytest.raises(BadRequest) as refusal:
        like(own, batch_size=5)
    assert refusal.value.code == "batch_size_is_fixed"


def test_what_is_no_loader_is_refused():
    with pytest.raises(BadRequest) as refusal:
        loader_settings(7, {})
    assert refusal.value.code == "not_a_loader"


class Stream(IterableDataset):
    def __init__(self, items):
        self.items = items

    def __iter__(self):
        return iter(range(self.items))


def measured(subject, **given):
    warnings = []
    context = Context(progress=lambda ratio, message: None, warn=warnings.append)
    return run_on(subject, "mine", {**LIMITS, **given}, context)


def test_a_stream_is_measured_over_several_runs_of_it():
    found = measured(DataLoader(Stream(400), batch_size=4))
    assert found["parameters"]["loader"] == "mine"
    assert found["figures"]["batch_seconds"]["value"] > 0
    assert set(found["figures"]) == {"batch_seconds", "startup_seconds", "samples_per_second"}


@pytest.mark.parametrize("items", [0, 5])
def test_data_that_ends_too_soon_is_refused(items):
    with pytest.raises(BadRequest) as refusal:
        measured(DataLoader(Stream(items), batch_size=4))
    assert refusal.value.code == "data_too_short"


@pytest.mark.parametrize("wrap", [Fabric, Pipeline, Moving.wrapping])
def test_the_loader_within_a_wrapper_is_taken(wrap):
    own = DataLoader(DATA, batch_size=4, drop_last=True)
    assert loader_settings(wrap(own), {})["batch_size"] == 4
    assert first(like(wrap(own)), 2) == [[0, 1, 2, 3], [4, 5, 6, 7]]


OTHERS = {
    "another make": OtherMake(DATA),
    "an iterator": iter([1]),
    "a generator": (each for each in DATA),
    "a set": {1, 2},
    "its name": "loader",
    "a model": torch.nn.Sequential(torch.nn.Flatten()),
    "data sets by name": {"train": DATA},
    "several loaders": [DataLoader(DATA), DataLoader(DATA)],
    "loaders by name": {"train": DataLoader(DATA), "test": DataLoader(DATA)},
    "loaders together": zip(DataLoader(DATA), DataLoader(DATA), strict=True),
}


@pytest.mark.parametrize("subject", OTHERS.values(), ids=OTHERS)
def test_what_can_be_iterated_is_not_taken_for_a_data_set(subject):
    with pytest.raises(BadRequest) as refusal:
        loader_settings(subject, {})
    assert refusal.value.code == "not_a_loader"
    assert refusal.value.hint


class Holding(Dataset):
    """A data set that reads its items from a loader of its own."""

    def __init__(self):
        self.inner = DataLoader(DATA, batch_size=2)

    def __len__(self):
        return 7

    def __getitem__(self, index):
        return index


def test_a_data_set_that_holds_a_loader_is_itself_meant():
    assert loader_and_data(held := Holding()) == (None, held)


def test_an_empty_data_set_makes_no_batch():
    assert list(like([], workers=0)) == []


def test_a_sampler_that_can_not_be_copied_is_refused_with_the_reason():
    own = DataLoader(DATA, batch_size=2, sampler=OneShot(10))
    with pytest.raises(BadRequest) as refusal:
        like(own)
    assert refusal.value.code == "sampler_not_copied"
    assert "OneShot can't be copied (cannot pickle 'generator' object)" in refusal.value.message
    assert own.sampler.drawn == 0


@pytest.mark.parametrize("data", [DATA, Stream(9)])
def test_a_loader_that_does_not_batch_gets_no_batch_size(data):
    with pytest.raises(BadRequest) as refusal:
        like(DataLoader(data, batch_size=None), batch_size=4)
    assert refusal.value.code == "batch_size_is_fixed"
