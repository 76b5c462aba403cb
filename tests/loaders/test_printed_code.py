"""The code that is shown makes the user's loader in another setting, of whatever kind that is; or says why there is none."""

from __future__ import annotations

import enum
import functools
import itertools
import multiprocessing
import sys
import warnings
from types import SimpleNamespace

import numpy
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

from jupyter_gpuperf.loaders.comparison import alike, difference
from jupyter_gpuperf.loaders.printed_code import code_of, code_of_data
from jupyter_gpuperf.loaders.rebuilding import KEPT_ARGUMENTS, loader_with
from jupyter_gpuperf.loaders.setting import Setting
from jupyter_gpuperf.loaders.subject import TuningSubject

SETTING = Setting.of(num_workers=2, prefetch_factor=3, persistent_workers=True)
DATA = Items()
RARE = torch.tensor([1.0] * 390 + [39.0] * 10)


class Level(enum.IntEnum):
    HIGH = 3


def keep(items):
    return items


def begin(worker):
    pass


def code(own, *, setting=SETTING, given=None, **names):
    given = own if given is None else given
    return code_of(given, own, "mine", setting, {"mine": given, **names})


def run(line, own, **names):
    scope = {"torch": torch, "mine": own, **names}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch has its own opinion of how many workers there are
        exec(line, scope)
    return scope["mine"]


def generator():
    return torch.Generator().manual_seed(7)


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


def test_the_users_own_are_called_by_their_names():
    weighted, batches = WeightedRandomSampler(RARE, 400), BatchSampler(range(9), 3, False)
    seeded = generator()
    own = DataLoader(
        DATA, sampler=weighted, collate_fn=keep, worker_init_fn=begin, generator=seeded
    )
    line = code(own, weighted=weighted, keep=keep, begin=begin, seeded=seeded, _weighted=weighted)
    for each in (
        "sampler=weighted",
        "collate_fn=keep",
        "worker_init_fn=begin",
        "generator=seeded",
    ):
        assert each in line
    assert "#" not in line
    assert "batch_sampler=batches" in code(DataLoader(DATA, batch_sampler=batches), batches=batches)
    assert "mine = Graphs(mine.dataset, batch_size=20" in code(
        Graphs(DATA, batch_size=20), Graphs=Graphs
    )


def test_what_has_no_name_is_said():
    line = code(DataLoader(DATA, batch_size=4, collate_fn=lambda items: items))
    assert line.startswith("# collate_fn: an unnamed lambda, taken from mine.\n")
    assert "collate_fn=mine.collate_fn" in line


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


def test_a_loader_without_a_name_gets_no_line():
    own, other = DataLoader(DATA, batch_size=20), DataLoader(DATA, batch_size=2)
    for names in ({}, {"loader": other}):
        assert "no name" in code_of(own, own, "loader", SETTING, names)
    assert code_of(own, own, "data.loaders", SETTING, None).startswith("# The loader has no name")


def having(own, name, value):
    setattr(own, name, value)
    return own


def scaled(factor, *, power=1):
    return lambda items: [factor * each**power for each in items]


ALIKE = {
    "functions": (scaled(2), scaled(2), True),
    "of other closures": (scaled(2), scaled(3), False),
    "partials": (functools.partial(keep, items=1), functools.partial(keep, items=1), True),
    "of other arguments": (functools.partial(keep, items=1), functools.partial(keep, 1), False),
    "of other functions": (functools.partial(keep), functools.partial(begin), False),
    "objects": (SimpleNamespace(a=[1]), SimpleNamespace(a=[1]), True),
    "of other parts": (SimpleNamespace(a=[1]), SimpleNamespace(a=[2]), False),
    "iterators": (iter([1]), iter([1]), False),
}


@pytest.mark.parametrize(("one", "other", "expected"), ALIKE.values(), ids=ALIKE)
def test_objects_are_alike_if_all_they_hold_is(one, other, expected):
    assert alike(one, other) is expected


def test_parts_in_slots_count_too():
    class Slotted(Stateful):
        __slots__ = ("limit",)

    one, other = (having(Slotted(DATA, batch_size=20), "limit", each) for each in (1, 2))
    assert "limit" in difference(one, other, {})


@pytest.mark.parametrize("changed", [{"in_order": False}, {"start_method": "spawn"}])
def test_what_the_class_does_not_take_is_not_left_out_in_silence(changed):
    line = code(Shuffling(DATA, batch_size=20), setting=SETTING.with_changes(**changed))
    assert run(line, None) is None
    assert "would be" in line


def test_another_batch_size_that_the_class_ignores_gives_no_line():
    own = Settled(DATA)
    line = TuningSubject(own, "mine", 10).code(Setting.of(num_workers=1))
    assert "its batch_size would be 20" in line


@pytest.mark.parametrize(
    ("names", "line"),
    [
        ({"torch": torch, "DataLoader": Graphs}, "mine = torch.utils.data.DataLoader(mine.dataset"),
        ({"DataLoader": DataLoader}, "mine = DataLoader(mine.dataset"),
        ({"DataLoader": Graphs}, "import torch\nmine = torch.utils.data.DataLoader(mine.dataset"),
        ({"torch": "cuda"}, "# A DataLoader can't be rebuilt"),
    ],
)
def test_a_name_in_the_code_means_the_same_in_the_notebook(names, line):
    own = DataLoader(DATA, batch_size=20)
    names = {"mine": own, **names}
    shown = code_of(own, own, "mine", SETTING, names)
    assert shown.startswith(line)
    exec(shown, names)
    assert type(names["mine"]) is DataLoader


def test_no_more_than_names_are_looked_up():
    own, called = DataLoader(DATA, batch_size=20), []
    for name in ("called.append(1)", "mine[0]", "none.mine", "called.append(1) or mine"):
        assert "no name" in code_of(own, own, name, SETTING, {"mine": own, "called": called})
    assert called == []
    trainer = Fabric(own)
    names = {"torch": torch, "trainer": trainer}
    line = code_of(own, own, "trainer._dataloader", SETTING, names)
    exec(line, names)
    assert trainer._dataloader is not own
    assert trainer._dataloader.num_workers == 2


@pytest.mark.parametrize("value", [float("inf"), float("nan"), torch.float16, Level.HIGH])
def test_a_value_that_can_not_be_written_is_taken_from_the_loader(value):
    own = Stateful(DATA, batch_size=20, snapshot_every_n_steps=value)
    line = code(own)
    assert "snapshot_every_n_steps=mine.snapshot_every_n_steps" in line
    assert run(line, own).snapshot_every_n_steps is value


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


class InNotebook(Items):
    """A data set whose class is defined in a cell."""


InNotebook.__module__, InNotebook.__qualname__ = "__main__", "InNotebook"


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_new_processes_must_find_what_the_line_sends_them(method, monkeypatch):
    monkeypatch.setattr(sys.modules["__main__"], "InNotebook", InNotebook, raising=False)
    setting = SETTING.with_changes(start_method=method)
    for own in (
        DataLoader(InNotebook()),
        DataLoader(DATA, collate_fn=lambda items: items),
        DataLoader(DATA, worker_init_fn=lambda worker: None),
    ):
        assert "Only forked workers find its" in code(own, setting=setting)
        assert run(code(own, setting=setting), None) is None
        assert "mine = " in code(own)
    assert "mine = " in code(DataLoader(DATA, collate_fn=keep), setting=setting)
    line = code_of_data(InNotebook(), "mine", 4, setting, {"mine": (data := InNotebook())})
    assert line.startswith("# The dataset has no name")
    assert "Only forked" in code_of_data(data, "mine", 4, setting, {"mine": data})


@pytest.mark.parametrize("data", [DATA, Stream(), [1, 2, 3], torch.arange(9), numpy.arange(9)])
def test_of_a_data_set_the_line_makes_a_loader_and_overwrites_nothing(data):
    other = object()
    names = {"torch": torch, "mine": data, "loader": other}
    line = code_of_data(data, "mine", 4, SETTING, names)
    exec(line, names)
    made = names["loader_2"]
    assert made.dataset is data
    assert (made.batch_size, made.num_workers, names["loader"]) == (4, 2, other)
    assert isinstance(made.sampler, RandomSampler) is not isinstance(data, Stream)


def test_a_data_set_of_which_no_loader_can_be_made_gets_no_line():
    assert "no name" in code_of_data(DATA, "mine", 4, SETTING, {"mine": Items()})
    assert code_of_data([], "mine", 4, SETTING, {"mine": []}).startswith("# ")


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


def test_other_indices_are_a_difference():
    own = DataLoader(DATA, batch_size=20)
    assert "sampler" in difference(own, DataLoader(DATA, batch_size=20, shuffle=True), {})
    assert "batch_size" in difference(own, DataLoader(DATA, batch_size=10), {})
    assert "class" in difference(own, Stateful(DATA, batch_size=20), {})
    assert "dataset" in difference(own, DataLoader(range(400), batch_size=20), {})


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
