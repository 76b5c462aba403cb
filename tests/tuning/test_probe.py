"""Looking at items in a worker: what they cost, and what they do."""

from __future__ import annotations

import os
import sys
import types
from types import SimpleNamespace

import numpy
import pytest
import torch
from data_sets import Items, Shards, Stream, compute, wait
from torch.utils.data import BatchSampler, DataLoader, Dataset, IterableDataset, get_worker_info

from jupyter_gpuperf.loaders.cloudpickling import cloudpickled
from jupyter_gpuperf.loaders.setting import Setting
from jupyter_gpuperf.loaders.subject import TuningSubject, as_dataset_kind
from jupyter_gpuperf.tuning.probe import ProbeFailed, probe, probe_in_process, repeats_items
from jupyter_gpuperf.tuning.records import bytes_of


def probed(data, **options):
    own = DataLoader(data, batch_size=8, **options)
    return probe(TuningSubject(own, "mine"), 2.0, 30.0)


def test_waiting_is_told_from_computing():
    assert probed(Items(do=wait(0.005))).blocked_ratio > 0.5
    computing = probed(Items(do=compute(0.005)))
    assert computing.item_cpu_seconds == pytest.approx(0.005, rel=0.3)
    assert computing.batch_seconds >= 8 * 0.005


def test_the_size_of_a_batch_is_that_of_its_tensors():
    assert probed(Items()).batch_bytes == 8 * 8
    nested = {"a": torch.zeros(3), "b": (numpy.zeros(2), [b"123", "4"])}
    assert bytes_of(nested) == 12 + 16 + 4


class Files(Dataset):
    def __init__(self, path):
        self.path = path

    def __len__(self):
        return 100

    def __getitem__(self, index):
        return torch.tensor(len(self.path.read_bytes()))


def test_files_that_the_system_has_in_memory_are_warm(tmp_path):
    path = tmp_path / "picture"
    path.write_bytes(os.urandom(50_000))
    found = probed(Files(path))
    assert found.read_bytes > 50_000
    assert found.regime == "warm"


class Opened(Dataset):
    """Opens its file where torch says: in worker_init_fn, through the worker's data set."""

    file = None

    def __len__(self):
        return 100

    def __getitem__(self, index):
        return torch.tensor(self.file[index])


def open_it(worker):
    torch.utils.data.get_worker_info().dataset.file = list(range(100))


def test_what_a_worker_does_first_is_done_for_the_probe_too():
    assert probed(Opened(), num_workers=1, worker_init_fn=open_it).items == 8


def test_an_empty_data_set_says_so():
    with pytest.raises(ProbeFailed, match="is empty"):
        probed(Stream(length=0))


def test_it_can_look_in_this_process_where_no_worker_can():
    found = probe_in_process(TuningSubject(DataLoader(Items(), batch_size=8), "mine"), 1.0)
    assert found.uses_cuda
    assert found.items == 8


class AllAlike(IterableDataset):
    """A stream whose items do not differ, as two shards with the same labels."""

    def __iter__(self):
        return iter([torch.zeros(2)] * 8)


class Labels(IterableDataset):
    """A stream of two shards whose labels begin alike, as webdataset's."""

    def __iter__(self):
        info = get_worker_info()
        return iter([*range(10), info.id if info else 0])


@pytest.mark.parametrize(
    ("data", "repeated"),
    [
        (Stream(), True),
        (Stream(divided=True), False),
        (Shards(), False),
        (AllAlike(), None),
        (Labels(), False),
    ],
)
def test_a_stream_that_each_worker_repeats_is_recognised(data, repeated):
    subject = TuningSubject(DataLoader(data, batch_size=2), "mine")
    assert repeats_items(subject, 30.0) is repeated


def test_a_fresh_process_gets_the_data_set(monkeypatch):
    # Other tests' IPython leaves a module there that no process can be started from.
    monkeypatch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))
    subject = TuningSubject(DataLoader(Items(), batch_size=2), "mine")
    loader, processes = subject.make_loader(
        Setting.of(num_workers=1, start_method="forkserver"), 60.0
    )
    batches = iter(loader)
    try:
        assert next(batches).tolist() == [0, 1]
        assert len(processes) == 1
    finally:
        batches._shutdown_workers()


def test_a_stream_stays_a_stream_when_it_is_sent():
    sent = as_dataset_kind(cloudpickled(Stream(), "data set"), is_stream=True)
    assert isinstance(sent, torch.utils.data.IterableDataset)


class Many(Dataset):
    """Gives whole batches, and no single items."""

    def __len__(self):
        return 100

    def __getitems__(self, indices):
        wait(0.01)(indices)
        return [torch.tensor(index) for index in indices]


class Both(Many):
    def __getitem__(self, index):
        raise AssertionError("torch never asks for single items here")


@pytest.mark.parametrize("data", [Many(), Both()])
def test_a_data_set_of_whole_batches_is_asked_as_torch_asks_it(data):
    found = probed(data)
    assert found.items == 8
    assert found.batch_bytes == 8 * 8
    assert 0.01 <= found.items * found.item_seconds < 0.1


class Batches(Many):
    """Makes its batch itself, in a kind without a length."""

    def __getitems__(self, indices):
        return SimpleNamespace(values=torch.tensor(indices))


def test_a_batch_of_the_data_sets_own_is_collated_as_torch_collates_it():
    found = probed(Batches(), collate_fn=lambda batch: batch.values)
    assert (found.items, found.batch_bytes) == (8, 8 * 8)


def test_what_the_collate_function_raises_is_not_blamed_on_the_items():
    found = probed(Items(), collate_fn=lambda items: items[0].no_such_method())
    assert (found.items, found.collate_seconds) == (8, 0.0)


class Few:
    """Makes batches, and does not say of which size."""

    def __init__(self, batch_size):
        self.batch_size = batch_size

    def __len__(self):
        return 10

    def __iter__(self):
        return (list(range(first, first + 10)) for first in range(0, 100, 10))


@pytest.mark.parametrize("size", [None, [8, 16], "large"])
def test_the_size_of_a_batch_is_that_of_its_indices_where_it_is_not_said(size):
    subject = TuningSubject(DataLoader(Items(), batch_sampler=Few(size)), "mine")
    found = probe(subject, 2.0, 30.0)
    assert (found.items, found.batch_size, found.batch_bytes) == (10, 10, 80)


class Forwarding:
    """Stands for a data set, without methods of its own."""

    def __init__(self, data):
        self.data = data

    def __getattr__(self, name):
        return getattr(self.data, name)

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        return self.data[index]


ODD = {
    "the end of another's stream": ["nothing"] * 20,
    "sparse": [torch.eye(3).to_sparse()] * 20,
    "nothing": [None] * 20,
    "a view of a dictionary": types.MappingProxyType({index: index for index in range(20)}),
    "forwarding": Forwarding(list(range(20))),
}


@pytest.mark.parametrize("data", ODD.values(), ids=ODD)
def test_odd_items_are_looked_at_too(data):
    assert probed(data, collate_fn=list).items == 8


def test_a_data_set_smaller_than_the_usual_batch_is_one_batch():
    assert probe(TuningSubject(Items(length=5), "mine"), 2.0, 30.0).items == 5


class Unknown(Items):
    def __len__(self):
        raise TypeError("unknown")


def test_a_sampler_without_indices_is_not_called_an_empty_data_set():
    with pytest.raises(ProbeFailed, match="its sampler is empty"):
        probed(Unknown(), sampler=[])


class Chunks(Dataset):
    def __len__(self):
        return 100

    def __getitem__(self, indices):
        return torch.tensor(indices)


def test_a_data_set_that_makes_its_batches_is_given_the_indices_of_one():
    batches = BatchSampler(range(100), 4, False)
    own = DataLoader(Chunks(), batch_size=None, sampler=batches)
    assert probe(TuningSubject(own, "mine"), 2.0, 30.0).items == 1
