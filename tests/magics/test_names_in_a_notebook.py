"""Which variable of the notebook a loader is, so that printed code means the right one."""

from __future__ import annotations

import weakref

import pytest
import torch
from torch.utils.data import BatchSampler, DataLoader

from jupyter_gpuperf.client import watch_session


class Wrapper(DataLoader):
    """Stands for a loader and calls none of torch's code."""

    def __init__(self, inner):
        object.__setattr__(self, "inner", inner)


@pytest.fixture
def names(monkeypatch):
    found = {}
    monkeypatch.setattr(watch_session, "notebook_names", lambda: found)
    return found


def test_a_loader_is_found_by_itself_and_by_its_sampler(names):
    own = names["_1"] = names["mine"] = DataLoader(range(4))
    assert watch_session.name_in_notebook(own) == "mine"
    assert watch_session.name_in_notebook(own._index_sampler) == "mine"
    assert watch_session.name_in_notebook(DataLoader(range(4))) is None


def test_an_odd_object_anywhere_hides_no_loader(names):
    names["wrapper"], names["dead"] = Wrapper(None), weakref.proxy(torch.nn.Linear(1, 1))
    own = names["mine"] = DataLoader(range(4))
    assert watch_session.name_in_notebook(own._index_sampler) == "mine"


def test_of_two_loaders_with_one_sampler_none_is_named(names):
    batches = BatchSampler(range(4), 2, False)
    names["train"] = DataLoader(range(4), batch_sampler=batches)
    names["test"] = DataLoader(range(8), batch_sampler=batches)
    assert watch_session.name_in_notebook(batches) is None
    assert watch_session.name_in_notebook(names["test"]) == "test"
