"""The code that is shown makes the user's loader in another setting, of whatever kind that is; or says why there is none."""

from __future__ import annotations

import itertools
import multiprocessing

import pytest
import torch
from kinds import (
    Collating,
    Fabric,
    FirstOf,
    Forgetful,
    Graphs,
    Items,
    ManyEpochs,
    Moving,
    OneShot,
    Prepared,
    Resumed,
    Settled,
    Shuffling,
    Stateful,
    Stream,
)
from printing import DATA, RARE, SETTING, begin, code, generator, having, keep, run
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    DistributedSampler,
    RandomSampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from torch.utils.data.datapipes.iter import IterableWrapper

from jupyter_gpuperf.loaders.comparison import difference
from jupyter_gpuperf.loaders.rebuilding import KEPT_ARGUMENTS, loader_with
from jupyter_gpuperf.loaders.setting import Setting
from jupyter_gpuperf.loaders.subject import TuningSubject

KINDS = {
    "in order": lambda: DataLoader(DATA, batch_size=20),
    "shuffled": lambda: DataLoader(DATA, batch_size=20, shuffle=True, drop_last=True),
    "with a generator": lambda: DataLoader(
        DATA, batch_size=20, shuffle=True, generator=generator()
    ),
    "its sampler's generator": lambda: DataLoader(
        DATA, batch_size=20, sampler=RandomSampler(DATA, generator=generator())
    ),
    "fewer": lambda: DataLoader(DATA, batch_size=20, sampler=RandomSampler(DATA, num_samples=50)),
    "with replacement": lambda: DataLoader(DATA, sampler=RandomSampler(DATA, replacement=True)),
    "of other data": lambda: DataLoader(DATA, sampler=RandomSampler(range(30))),
    "a subset": lambda: DataLoader(DATA, batch_size=20, sampler=SubsetRandomSampler(range(99))),
    "a rank's": lambda: DataLoader(DATA, batch_size=20, sampler=DistributedSampler(DATA, 2, 1)),
    "indices": lambda: DataLoader(DATA, batch_size=20, sampler=list(range(7, 90))),
    "weighted": lambda: DataLoader(DATA, batch_size=20, sampler=WeightedRandomSampler(RARE, 400)),
    "own batches": lambda: DataLoader(
        DATA, batch_sampler=BatchSampler(WeightedRandomSampler(RARE, 400), 20, False)
    ),
    "one-shot": lambda: DataLoader(DATA, batch_size=20, sampler=OneShot(400)),
    "resumed": lambda: DataLoader(DATA, batch_size=20, sampler=Resumed(400)),
    "stream": lambda: DataLoader(Stream(), batch_size=4, drop_last=True),
    "stream of batches": lambda: DataLoader(Stream(), batch_size=None),
    "no batching": lambda: DataLoader(DATA, batch_size=None),
    "the data set's batches": lambda: DataLoader(
        DATA, batch_size=None, sampler=BatchSampler(SequentialSampler(DATA), 4, False)
    ),
    "functions": lambda: DataLoader(DATA, batch_size=4, collate_fn=keep, worker_init_fn=begin),
    "a lambda": lambda: DataLoader(DATA, batch_size=4, collate_fn=lambda items: items),
    "workers' own": lambda: DataLoader(
        DATA, batch_size=4, num_workers=1, timeout=30, multiprocessing_context="spawn"
    ),
    "many epochs": lambda: ManyEpochs(DATA, batch_size=20, shuffle=True),
    "graphs": lambda: Graphs(DATA, batch_size=20, shuffle=True, follow_batch=["x"]),
    "stateful": lambda: Stateful(DATA, batch_size=20, shuffle=True, snapshot_every_n_steps=3),
    "collating": lambda: Collating(DATA, 3.0, batch_size=20),
    "of items of a type": lambda: DataLoader[int](DATA, batch_size=20),
    "without a sampler": lambda: Shuffling(DATA, batch_size=20, shuffle=True),
    "as many as there are": lambda: DataLoader(DATA, sampler=RandomSampler(DATA, num_samples=400)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_code_makes_an_equal_loader_and_nothing_of_the_users_moves(kind):
    own = KINDS[kind]()
    drawn = torch.get_rng_state()
    line = code(own)
    assert torch.equal(torch.get_rng_state(), drawn)
    made = run(line, own)
    assert made is not own
    assert difference(own, made, SETTING.arguments()) == ""
    assert type(made) is type(own)
    assert (made.num_workers, made.prefetch_factor, made.persistent_workers) == (2, 3, True)
    assert made.dataset is own.dataset
    for name in {*KEPT_ARGUMENTS} - {"timeout", "multiprocessing_context", "collate_fn"}:
        assert getattr(made, name, None) == getattr(own, name, None)
    torch.manual_seed(3)
    if kind not in ("one-shot", "resumed"):
        ours = list(itertools.islice(made._index_sampler, 30))
        torch.manual_seed(3)
        if own.generator is not None or kind == "its sampler's generator":
            own.generator, theirs = None, ours  # one generator, which both draw from
        else:
            theirs = list(itertools.islice(own._index_sampler, 30))
        assert ours == theirs


@pytest.mark.parametrize("kind", KINDS)
def test_what_apply_tries_is_an_equal_loader_of_the_same_class(kind):
    own = KINDS[kind]()
    made = loader_with(own, {"num_workers": 0, "pin_memory": True})
    assert type(made) is type(own)
    assert made.pin_memory
    assert (
        made._index_sampler is own._index_sampler
        or difference(own, made, {"num_workers": 0, "pin_memory": True}) == ""
    )


def test_the_rest_of_the_arguments_is_kept():
    own = DataLoader(DATA, num_workers=1, in_order=False, timeout=30, pin_memory_device="cuda")
    made = loader_with(own, {"num_workers": 2})
    assert (made.in_order, made.timeout, made.pin_memory_device) == (False, 30, "cuda")
    assert "timeout=30" in code(own)
    assert "pin_memory_device='cuda'" in code(own)
    assert "in_order=False" in code(own, setting=SETTING.with_changes(in_order=False))


def test_samplers_of_the_users_are_never_drawn_from_and_it_is_said():
    for own in (DataLoader(DATA, sampler=OneShot(400)), DataLoader(DATA, sampler=Resumed(400))):
        line = code(own)
        loader_with(own, {"num_workers": 1})
        assert (getattr(own.sampler, "drawn", 0), getattr(own.sampler, "position", 0)) == (0, 0)
        assert "# Its order was not compared" in line


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: Forgetful(DATA, 3), "secret"),
        (lambda: Settled(DATA), "its num_workers would be 1"),
        (lambda: Prepared(DataLoader(DATA, batch_size=20)), "not a DataLoader itself"),
        (lambda: Moving(DATA, device="meta", batch_size=20), "its argument device is not kept"),
        (lambda: FirstOf(DATA, 3, batch_size=20), "its argument count is not kept"),
        (lambda: having(Collating(DATA, 3.0, batch_size=20), "_epoch", 3), "its _epoch would"),
        (lambda: DataLoader(IterableWrapper(range(9))), "its dataset would differ"),
    ],
    ids=[
        *("an argument that is not kept", "workers of its own", "prepared"),
        *("privately kept", "in a closure", "moved on", "wrapped by torch"),
    ],
)
def test_what_can_not_be_equal_is_not_printed_and_the_settings_are_said(make, reason):
    own = make()
    line = code(own)
    assert all(each.startswith("# ") for each in line.splitlines())
    assert reason in line
    assert "num_workers=2, prefetch_factor=3" in line
    assert run(line, own) is own


@pytest.mark.parametrize("wrap", [Fabric, Moving.wrapping])
def test_what_wraps_the_loader_is_not_lost(wrap):
    own = DataLoader(DATA, batch_size=20)
    line = code(own, given=wrap(own))
    assert "can't be rebuilt" in line
    assert "=" not in line.partition("wraps it:")[0]


@pytest.mark.parametrize("changed", [{"in_order": False}, {"start_method": "spawn"}])
def test_what_the_class_does_not_take_is_not_left_out_in_silence(changed):
    line = code(Shuffling(DATA, batch_size=20), setting=SETTING.with_changes(**changed))
    assert run(line, None) is None
    assert "would be" in line


def test_another_batch_size_that_the_class_ignores_gives_no_line():
    own = Settled(DATA)
    line = TuningSubject(own, "mine", 10).code(Setting.of(num_workers=1))
    assert "its batch_size would be 20" in line


def test_a_context_of_the_users_own_is_kept():
    spawn = multiprocessing.get_context("spawn")
    setting = SETTING.with_changes(start_method="spawn")
    own = DataLoader(DATA, num_workers=1, multiprocessing_context=spawn)
    assert "multiprocessing_context='spawn'" in code(own, setting=setting)
    context = type("Own", (type(spawn),), {})()
    own = DataLoader(DATA, num_workers=1, multiprocessing_context=context)
    assert run(code(own, setting=setting), own).multiprocessing_context is context


def test_what_changes_for_training_is_said():
    class Epochs(Items):
        def set_epoch(self, epoch):
            pass

    assert "set_epoch()" in code(DataLoader(Epochs(), batch_size=20))
    kept = DataLoader(Epochs(), batch_size=20, num_workers=1, persistent_workers=True)
    assert "set_epoch()" not in code(kept)

    class Positioned(Stream):
        def __next__(self):
            pass

    assert "keeps a position" in code(DataLoader(Positioned()))
    assert "keeps a position" not in code(DataLoader(Positioned(), num_workers=1))
    line = code(DataLoader(DATA, batch_size=20), setting=SETTING.with_changes(in_order=False))
    assert line.startswith("# in_order=False: batches come in the order in which workers finish.\n")


def test_a_method_that_the_loader_hands_to_torch_is_its_new_ones_own():
    own = Collating(DATA, 3.0, batch_size=20)
    made = run(code(own), own)
    assert made.collate_fn.__self__ is made
    assert made.scale == 3.0


def test_a_plain_loader_is_not_taken_for_one_that_repeats_its_batches():
    own = ManyEpochs(DATA, batch_size=20, shuffle=True)
    made = run(
        code(own, setting=Setting.of(num_workers=0), ManyEpochs=ManyEpochs),
        own,
        ManyEpochs=ManyEpochs,
    )
    assert (len(made), sum(1 for _ in made), sum(1 for _ in made)) == (20, 20, 20)


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (DataLoader(DATA, batch_size=4), "batch_size=10,"),
        (
            DataLoader(DATA, batch_sampler=BatchSampler(range(90), 4, True)),
            "batch_sampler=torch.utils.data.BatchSampler(mine.batch_sampler.sampler, 10, True)",
        ),
    ],
    ids=["of torch's", "of a batch sampler's"],
)
def test_another_batch_size_is_in_the_code(own, expected):
    line = TuningSubject(own, "mine", 10).code(SETTING)
    assert expected in line
    assert len(next(iter(run(line, own)._index_sampler))) == 10
