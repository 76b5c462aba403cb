"""Loaders of other makes, small: what each does to its arguments is what theirs do."""

from __future__ import annotations

import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, Sampler


class Items(Dataset):
    def __len__(self):
        return 400

    def __getitem__(self, index):
        return torch.tensor(index)


class Stream(IterableDataset):
    def __iter__(self):
        return iter(range(100))


class OneShot:
    """A sampler that can be gone through once, and can't be copied: it keeps a generator."""

    def __init__(self, length):
        self.length, self.drawn = length, 0
        self.indices = self._draw()

    def _draw(self):
        while True:
            for index in torch.randperm(self.length).tolist():
                self.drawn += 1
                yield index

    def __iter__(self):
        for _ in range(self.length):
            yield next(self.indices)

    def __len__(self):
        return self.length


class Resumed(Sampler):
    """Goes on where it stood, as samplers do that can be resumed."""

    def __init__(self, length):
        self.length, self.position = length, 0

    def __iter__(self):
        while self.position < self.length:
            self.position += 1
            yield self.position - 1

    def __len__(self):
        return self.length


class Repeat:
    def __init__(self, inner):
        self.inner = inner

    def __iter__(self):
        while True:
            yield from iter(self.inner)


class ManyEpochs(DataLoader):
    """Keeps one iterator over batches without an end, and counts an epoch itself, as ultralytics' and timm's."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        object.__setattr__(self, "batch_sampler", Repeat(self.batch_sampler))
        self.iterator = super().__iter__()

    def __len__(self):
        return len(self.batch_sampler.inner)

    def __iter__(self):
        for _ in range(len(self)):
            yield next(self.iterator)


class Graphs(DataLoader):
    """Takes the collate function away and gives its own, as PyTorch Geometric's."""

    def __init__(self, dataset, batch_size=1, shuffle=False, follow_batch=None, **kwargs):
        kwargs.pop("collate_fn", None)
        self.follow_batch = follow_batch
        collate = Collater(follow_batch)
        super().__init__(dataset, batch_size, shuffle, collate_fn=collate, **kwargs)


class Collater:
    def __init__(self, follow_batch):
        self.follow_batch = follow_batch

    def __call__(self, items):
        return torch.stack(items)


class Stateful(DataLoader):
    """Has a state to save, as torchdata's."""

    def __init__(self, dataset, batch_size=1, *, snapshot_every_n_steps=1, **kwargs):
        super().__init__(dataset, batch_size, **kwargs)
        self.snapshot_every_n_steps = snapshot_every_n_steps

    def state_dict(self):
        return {}


class Collating(DataLoader):
    """Collates by a method of its own, and calls its data set otherwise than torch does."""

    def __init__(self, data, scale, **kwargs):
        super().__init__(data, collate_fn=self.collate, **kwargs)
        self.scale = scale

    def collate(self, items):
        return self.scale * torch.stack(items)


class Forgetful(DataLoader):
    """Does not keep what it was made with."""

    def __init__(self, data, secret, **kwargs):
        super().__init__(data, **kwargs)


class Settled(DataLoader):
    """Decides its workers itself."""

    def __init__(self, data):
        super().__init__(data, batch_size=20, num_workers=1)


class Moving(DataLoader):
    """Keeps an argument under another name, and uses it later."""

    def __init__(self, data, *, device="cpu", **kwargs):
        super().__init__(data, **kwargs)
        self._device = device

    @classmethod
    def wrapping(cls, loader):
        """Stand for a loader, as those do that were written after PyTorch's first tutorials."""
        self = cls.__new__(cls)
        object.__setattr__(self, "inner", loader)
        return self


class FirstOf(DataLoader):
    """Keeps an argument in its collate function alone."""

    def __init__(self, data, count=1, **kwargs):
        super().__init__(data, collate_fn=lambda items: torch.stack(items[:count]), **kwargs)


class Shuffling(DataLoader):
    """Takes no sampler, and of the settings only the usual ones."""

    def __init__(
        self, dataset, batch_size=1, shuffle=False, num_workers=0, persistent_workers=False, **other
    ):
        known = {name: other[name] for name in ("prefetch_factor", "pin_memory") if name in other}
        known |= {"num_workers": num_workers, "persistent_workers": persistent_workers}
        super().__init__(dataset, batch_size, shuffle, **known)


class Prepared:
    """Says that it is a DataLoader and only stands for one, as Accelerate's."""

    def __init__(self, loader):
        self.base_dataloader = loader

    @property
    def __class__(self):
        return DataLoader

    def __getattr__(self, name):
        return getattr(self.base_dataloader, name)


class Fabric:
    """Has a DataLoader, and is none, as Lightning Fabric's."""

    def __init__(self, loader):
        self._dataloader = loader


class Pipeline(IterableDataset):
    """A stream whose first stage is a DataLoader, as webdataset's WebLoader."""

    def __init__(self, loader):
        self.pipeline = [loader]

    def __iter__(self):
        return iter(self.pipeline[0])


class OtherMake:
    """A loader that is not torch's and hands on what it lacks to its data set, as fastai's."""

    def __init__(self, dataset):
        self.dataset = dataset

    def __getattr__(self, name):
        return getattr(self.dataset, name)

    def __iter__(self):
        return iter(range(4))

    def __len__(self):
        return 4
