"""Data sets, good and bad; in a module, for workers that are not forked."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import time
from types import SimpleNamespace

import torch
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    Sampler,
    get_worker_info,
)


class Answer(SimpleNamespace):
    """The outcome of a tuning."""

    def trial(self, role):
        return next((each for each in self.trials if role in each["roles"]), None)


def nothing(index):
    pass


class Items(Dataset):
    """Items that do what they are told, then are their own number."""

    def __init__(self, length=4000, do=nothing):
        self.length, self.do = length, do

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        self.do(index)
        return torch.tensor(index)


def compute(seconds):
    def run(index):
        end = time.thread_time() + seconds
        while time.thread_time() < end:
            pass

    return run


def wait(seconds):
    return lambda index: time.sleep(seconds)


def raises(index):
    raise FileNotFoundError("no such picture")


def hangs(index):
    while True:
        with contextlib.suppress(Exception):  # as those do that try again
            time.sleep(60)


def crashes(index):
    os.kill(os.getpid(), signal.SIGKILL)


class Later(Items):
    """Goes well while items are looked at, and does as told before a trial is done."""

    def __init__(self, do, after=24):
        super().__init__(length=10**6)
        self.after, self.then = after, do

    def __getitem__(self, index):
        if index >= self.after:
            self.then(index)
        return super().__getitem__(index)


class Dries(IterableDataset):
    """A stream whose source falls silent."""

    def __iter__(self):
        yield from range(20)
        hangs(None)


class Stream(IterableDataset):
    """The whole in each worker, unless it is divided."""

    def __init__(self, *, divided=False, length=100_000):
        self.divided, self.length = divided, length

    def __iter__(self):
        info = get_worker_info()
        first, step = (info.id, info.num_workers) if info and self.divided else (0, 1)
        return iter(range(first, self.length, step))


class Endless(IterableDataset):
    """Looks for its first item for ever."""

    def __iter__(self):
        while True:
            time.sleep(0.01)
        yield 0


class Lost(Sampler):
    """Looks for its first index for ever."""

    def __init__(self):
        pass

    def __iter__(self):
        return iter(Endless())

    def __len__(self):
        return 1000


class Shards(IterableDataset):
    """A stream as Hugging Face has it: it says into how many parts it can be cut."""

    __module__ = "datasets.iterable_dataset"  # elsewhere the name may mean another thing
    n_shards = 2

    def __init__(self, length=100_000):
        self.length = length

    def __iter__(self):
        info = get_worker_info()
        first, step = (info.id, info.num_workers) if info else (0, 1)
        return (
            itertools.count(first, step)
            if self.length is None
            else iter(range(first, self.length, step))
        )


class BatchSamplerShard(BatchSampler):
    """Of another sampler's batches each n-th, as Accelerate divides them between processes."""

    def __init__(self, batch_sampler, processes, index):
        self.batch_sampler, self.processes, self.index = batch_sampler, processes, index
        self.batch_size = batch_sampler.batch_size
        self.drop_last = batch_sampler.drop_last

    def __len__(self):
        return len(self.batch_sampler) // self.processes

    def __iter__(self):
        for place, batch in enumerate(self.batch_sampler):
            if place % self.processes == self.index:
                yield batch


class DataLoaderShard(DataLoader):
    """A loader that moves its batches, as Accelerate's."""

    def __init__(self, dataset, device=None, **kwargs):
        super().__init__(dataset, **kwargs)
        self.device = device

    def __iter__(self):
        for batch in super().__iter__():
            yield batch.to(self.device)


class FabricLoader:
    """No DataLoader, but has one, as Lightning Fabric's."""

    def __init__(self, loader):
        self._dataloader = loader
