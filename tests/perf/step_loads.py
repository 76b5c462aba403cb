"""Loads with a training step, for tests/perf/tuner_with_step.py: loaders and models as people have them, made here.

Each is a function from a folder and a device to ``(loader, step)``. The step queues work on the GPU and does not wait
for it, as in most training loops.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info
from tuner_loads import Pictures, Remote, Transformed

from jupyter_gpuperf.benchmarks.workloads.images import write_photographs

Load = tuple[DataLoader[Any], Callable[[Any], object]]
WORDS = ("the", "loader", "waits", "while", "a", "kernel", "runs", "on", "its", "device")


class Sentences(Dataset[str]):
    """Lines of text; they are tokenised in ``collate_fn``."""

    def __init__(self, length: int, words: int) -> None:
        self.length, self.words = length, words

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> str:
        return " ".join(WORDS[(index * 7 + place) % len(WORDS)] for place in range(self.words))


class Tokenize:
    """A tokenizer in Python: a dictionary lookup for each piece of each word."""

    def __init__(self, length: int, rounds: int) -> None:
        self.length, self.rounds = length, rounds
        self.ids = {word: number for number, word in enumerate(WORDS)}

    def __call__(self, lines: list[str]) -> torch.Tensor:
        rows = []
        for line in lines:
            for _ in range(self.rounds):
                ids = [self.ids.get(word, 0) for word in line.split()]
            rows.append((ids * (self.length // len(ids) + 1))[: self.length])
        return torch.tensor(rows)


class Shards(IterableDataset[torch.Tensor]):
    """A stream that its workers share."""

    def __init__(self, seconds: float, length: int = 1_000_000) -> None:
        self.seconds, self.length = seconds, length

    def __iter__(self) -> Iterator[torch.Tensor]:
        info = get_worker_info()
        first, every = (0, 1) if info is None else (info.id, info.num_workers)
        for index in range(first, self.length, every):
            end = time.perf_counter() + self.seconds
            while time.perf_counter() < end:  # decoding: it needs a CPU
                pass
            yield torch.full((3, 64, 64), float(index % 251))


class Hdf5(Dataset[torch.Tensor]):
    """Compressed rows of an HDF5 file, opened once in each worker."""

    def __init__(self, path: Path, length: int) -> None:
        self.path, self.length, self.file = str(path), length, None

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> torch.Tensor:
        import h5py

        if self.file is None:
            self.file = h5py.File(self.path, "r")
        return torch.from_numpy(self.file["x"][index % 512]).float()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "file": None}


class Gpt(nn.Module):
    """A small transformer that predicts the next token."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(1024, width)
        layer = nn.TransformerEncoderLayer(width, width // 64, 4 * width, batch_first=True)
        self.body = nn.TransformerEncoder(layer, layers)
        self.head = nn.Linear(width, 1024)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(self.embedding(tokens)))


def conv(width: int, layers: int) -> nn.Module:
    """Return a plain convolutional classifier."""
    first: list[nn.Module] = [nn.Conv2d(3, width, 3, 2, 1), nn.ReLU()]
    for _ in range(layers):
        first += [nn.Conv2d(width, width, 3, 1, 1), nn.BatchNorm2d(width), nn.ReLU()]
    return nn.Sequential(*first, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))


def training_step(
    model: nn.Module, device: str, loss_of: Callable[..., Any]
) -> Callable[[Any], object]:
    """Return a step: copy, forward, backward, optimizer; it never waits for the device."""
    model.to(device)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4)

    def step(batch: Any) -> None:
        batch = batch[0] if isinstance(batch, (list, tuple)) else batch
        batch = batch.to(device, non_blocking=True)
        with torch.autocast(device, torch.bfloat16):
            loss = loss_of(model, batch)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def next_token(model: nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    """Return the loss of a language model."""
    logits = model(tokens[:, :-1])
    return nn.functional.cross_entropy(logits.flatten(0, 1).float(), tokens[:, 1:].flatten())


def pixels_loss(model: nn.Module, batch: torch.Tensor) -> torch.Tensor:
    """Return the loss of a classifier on made-up labels."""
    labels = torch.zeros(len(batch), dtype=torch.long, device=batch.device)
    return nn.functional.cross_entropy(model(batch.float() / 255).float(), labels)


def _text(width: int, layers: int, batch: int, rounds: int, device: str) -> Load:
    data, collate = Sentences(200_000, 200), Tokenize(512, rounds)
    loader = DataLoader(data, batch_size=batch, collate_fn=collate, shuffle=True)
    return loader, training_step(Gpt(width, layers), device, next_token)


def _pictures(loader: DataLoader[Any], width: int, layers: int, device: str) -> Load:
    return loader, training_step(conv(width, layers), device, pixels_loss)


def _hdf5(folder: Path, device: str) -> Load:
    import h5py
    import numpy

    path = folder / "x.h5"
    rows = numpy.random.default_rng(0).integers(0, 40, (512, 3, 96, 96), dtype="uint8")
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=rows, chunks=(1, 3, 96, 96), compression="gzip")
    loader = DataLoader(Hdf5(path, 50_000), batch_size=32, shuffle=True)
    return _pictures(loader, 256, 6, device)


LOADS: dict[str, Callable[[Path, str], Load]] = {
    # The GPU runs ahead of the host: a batch is made while it works.
    "text, GPU-bound": lambda _, device: _text(1024, 8, 64, 2, device),
    "text, balanced": lambda _, device: _text(768, 6, 32, 8, device),
    "text, host-bound": lambda _, device: _text(512, 2, 32, 20, device),
    "1 ms items": lambda _, device: _pictures(
        DataLoader(Transformed(100_000), batch_size=16), 512, 12, device
    ),
    "JPEGs": lambda folder, device: _pictures(
        DataLoader(Pictures(write_photographs(folder, 256), 50_000), batch_size=64), 256, 8, device
    ),
    "JPEGs, 8 workers": lambda folder, device: _pictures(
        DataLoader(Pictures(write_photographs(folder, 256), 50_000), batch_size=64, num_workers=8),
        256,
        8,
        device,
    ),
    "stream": lambda _, device: _pictures(
        DataLoader(Shards(0.0005), batch_size=32), 256, 8, device
    ),
    "slow stream": lambda _, device: _pictures(
        DataLoader(Shards(0.004), batch_size=16, num_workers=2), 256, 4, device
    ),
    "HDF5": _hdf5,
    "50 MB batches": lambda _, device: _pictures(
        DataLoader(torch.utils.data.TensorDataset(torch.zeros(512, 3, 224, 224)), batch_size=84),
        128,
        4,
        device,
    ),
    "remote store": lambda _, device: _pictures(
        DataLoader(Remote(100_000), batch_size=16), 256, 4, device
    ),
}
RUN_AHEAD = ("text, GPU-bound", "text, balanced", "1 ms items", "JPEGs, 8 workers")
