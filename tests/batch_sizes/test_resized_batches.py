"""Batches of other sizes: from the items of the loader, collated by it; or joined and cut."""

from __future__ import annotations

import collections
import time

import pytest
import torch
from torch.utils.data import BatchSampler, DataLoader, Dataset, IterableDataset, TensorDataset

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.loaders.resized_batches import ResizedBatches

Pair = collections.namedtuple("Pair", "rows names")


class Numbers(Dataset):
    def __len__(self):
        return 100

    def __getitem__(self, index):
        return {"number": index, "name": str(index)}


class Stream(IterableDataset):
    def __iter__(self):
        return iter(range(10))


class Whole(Dataset):
    """Makes batches itself."""

    def __len__(self):
        return 5

    def __getitem__(self, index):
        return Pair(torch.arange(4) + 4 * index, [f"{index}.{place}" for place in range(4)])


class Moving(DataLoader):
    """Does more to its batches than torch, as Accelerate's does."""

    def __iter__(self):
        for (rows,) in super().__iter__():
            yield {"rows": -rows, "scale": torch.tensor(2.0)}


class Wrapper:
    """Holds a loader, as Fabric's does."""

    def __init__(self, loader):
        self.loader = loader

    def __iter__(self):
        return ([each[0] * 10] for each in self.loader)


def numbers(count=12):
    return TensorDataset(torch.arange(count))


def made(loader, size, limit_seconds=60.0):
    return ResizedBatches(loader, "loader").batch(size, limit_seconds)


def test_items_come_in_the_order_of_the_sampler_and_are_collated_by_the_loader():
    collate = lambda items: [each["name"] for each in items]
    loader = DataLoader(Numbers(), batch_size=4, sampler=range(50, 100), collate_fn=collate)
    batches = ResizedBatches(loader, "loader")
    assert batches.own_size == 4
    assert batches.item_count == 50
    assert batches.batch(3, 60.0) == ["50", "51", "52"]
    assert batches.batch(7, 60.0)[-1] == "56"
    assert batches.notes == []


def test_default_collation_is_torch_s():
    batch = made(DataLoader(Numbers(), batch_size=4), 6)
    assert batch["number"].tolist() == [0, 1, 2, 3, 4, 5]
    assert batch["name"] == ["0", "1", "2", "3", "4", "5"]


def test_after_the_last_item_the_data_begins_anew():
    (batch,) = made(DataLoader(numbers(), batch_size=4), 14)
    assert batch.tolist() == [*range(12), 0, 1]
    assert made(DataLoader(Stream(), batch_size=4), 12).tolist() == [*range(10), 0, 1]


def test_a_dataset_alone_is_collated():
    batches = ResizedBatches(numbers(), "data")
    assert batches.own_size == 64
    assert len(batches.batch(5, 60.0)[0]) == 5


def test_a_batch_sampler_s_own_order_is_kept_and_told():
    sampler = [[3, 1], [2, 0, 5]]
    batches = ResizedBatches(DataLoader(numbers(), batch_sampler=sampler), "loader")
    assert batches.own_size == 2
    (batch,) = batches.batch(4, 60.0)
    assert batch.tolist() == [3, 1, 2, 0]
    assert any("list chooses the samples of each batch" in each for each in batches.notes)
    assert batches.code(4) is None


def test_batches_of_the_dataset_itself_are_joined_and_cut():
    batches = ResizedBatches(DataLoader(Whole(), batch_size=None), "loader")
    assert batches.own_size == 4
    assert batches.batch(3, 60.0).rows.tolist() == [0, 1, 2]
    large = batches.batch(9, 60.0)
    assert type(large) is Pair
    assert large.rows.tolist() == [*range(9)]
    assert large.names[-1] == "2.0"
    assert any("joined and cut" in each for each in batches.notes)


@pytest.mark.parametrize(
    ("loader", "rows"),
    [
        (Moving(numbers(), batch_size=4), lambda batch: batch["rows"]),
        (Wrapper(DataLoader(numbers(), batch_size=4)), lambda batch: batch[0]),
        ([(torch.arange(4), "note"), (torch.arange(4, 8), "note")], lambda batch: batch[0]),
    ],
)
def test_what_a_loader_makes_beyond_torch_is_in_the_batches(loader, rows):
    batches = ResizedBatches(loader, "loader")
    assert batches.own_size == 4
    found = rows(batches.batch(6, 60.0))
    assert found.abs().tolist() in ([0, 1, 2, 3, 4, 5], [0, 10, 20, 30, 40, 50])
    assert len(rows(batches.batch(2, 60.0))) == 2


@pytest.mark.parametrize(
    ("batch", "reason"),
    [
        ([torch.zeros(4, 3), torch.zeros(2)], "do not share their first dimension"),
        ([[torch.zeros(3, 8), torch.zeros(3, 9)], torch.zeros(3)], "lists of tensors"),
        ([torch.nn.Linear(1, 1)], "a batch contains a Linear"),
        (["text"], "a batch has no tensors"),
    ],
)
def test_batches_that_can_not_be_cut_are_refused(batch, reason):
    with pytest.raises(BadRequest, match=reason) as raised:
        ResizedBatches([batch], "loader")
    assert raised.value.code == "batch_size_is_fixed"


def test_batches_of_different_shapes_can_not_be_joined():
    batches = ResizedBatches([torch.zeros(4, 3), torch.zeros(4, 5)], "loader")
    assert batches.batch(4, 60.0).shape == (4, 3)
    with pytest.raises(BadRequest, match="batches differ in shape"):
        batches.batch(6, 60.0)


def test_an_iterator_and_an_empty_loader_are_refused():
    with pytest.raises(BadRequest) as raised:
        ResizedBatches(iter([torch.zeros(4)]), "loader")
    assert raised.value.code == "not_a_loader"
    with pytest.raises(BadRequest) as raised:
        made(DataLoader(numbers(2), batch_size=4, drop_last=True), 1)
    assert raised.value.code == "empty_loader"


def test_items_that_load_slowly_are_repeated():
    class Slow(Numbers):
        def __getitem__(self, index):
            time.sleep(0.02)
            return index

    batches = ResizedBatches(DataLoader(Slow(), batch_size=2), "loader")
    batch = batches.batch(1000, 0.1)
    assert len(batch) == 1000
    assert set(batch.tolist()) == set(range(batch.max() + 1))
    assert any("repeat samples" in each for each in batches.notes)


def test_the_code_is_a_line_that_was_compared_with_the_loader():
    loader = DataLoader(numbers(), batch_size=4, shuffle=True, drop_last=True)
    batches = ResizedBatches(loader, "loader", {"loader": loader, "DataLoader": DataLoader})
    code = batches.code(6)
    scope = {"loader": loader, "DataLoader": DataLoader}
    exec(code, scope)
    assert scope["loader"].batch_size == 6
    assert scope["loader"].drop_last
    assert isinstance(scope["loader"].batch_sampler, BatchSampler)
    # Without a name, nothing could be typed.
    assert ResizedBatches(loader, "nothing", {"loader": loader}).code(6).startswith("#")


def test_whether_the_last_batch_is_left_out_is_known_however_it_was_asked_for():
    sampler = BatchSampler(range(12), 5, drop_last=True)
    loaders = [
        DataLoader(numbers(), 5, drop_last=True),
        DataLoader(numbers(), batch_sampler=sampler),
    ]
    assert [ResizedBatches(each, "loader").drops_last for each in loaders] == [True, True]
    assert not ResizedBatches(DataLoader(numbers(), 5), "loader").drops_last


def test_the_user_s_sampler_and_generator_do_not_advance():
    generator = torch.Generator().manual_seed(1)
    loader = DataLoader(numbers(), batch_size=4, shuffle=True, generator=generator)
    before = generator.get_state()
    ResizedBatches(loader, "loader").batch(8, 60.0)
    assert torch.equal(generator.get_state(), before)
