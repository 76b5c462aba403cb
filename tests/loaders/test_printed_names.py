"""The printed code names objects of the notebook, and each name means the same there."""

from __future__ import annotations

import sys

import numpy
import pytest
import torch
from kinds import (
    Fabric,
    Graphs,
    Items,
    Stateful,
    Stream,
)
from printing import DATA, RARE, SETTING, Level, begin, code, generator, keep, run
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    RandomSampler,
    WeightedRandomSampler,
)

from jupyter_gpuperf.loaders.printed_code import code_of, code_of_data


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


def test_a_loader_without_a_name_gets_no_line():
    own, other = DataLoader(DATA, batch_size=20), DataLoader(DATA, batch_size=2)
    for names in ({}, {"loader": other}):
        assert "no name" in code_of(own, own, "loader", SETTING, names)
    assert code_of(own, own, "data.loaders", SETTING, None).startswith("# The loader has no name")


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
