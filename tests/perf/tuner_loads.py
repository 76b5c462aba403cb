"""Six typical datasets, generated here, with which ``tuner_regret.py`` tests the tuner."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.utils.data import DataLoader, Dataset, TensorDataset

from jupyter_gpuperf.benchmarks.workloads.images import installed_readers, write_photographs

PICTURES = 256
SIDE = 160


class Pictures(Dataset[torch.Tensor]):
    """JPEGs on disk, which are read, decoded and cropped."""

    def __init__(self, paths: list[Path], length: int) -> None:
        self.paths, self.length = [str(each) for each in paths], length
        self.read = installed_readers()["opencv"]

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> torch.Tensor:
        pixels = self.read(self.paths[index % len(self.paths)])
        return torch.from_numpy(pixels[:SIDE, :SIDE].copy()).permute(2, 0, 1)  # type: ignore[index]


class Transformed(Dataset[torch.Tensor]):
    """Items from a Python transform that computes for about a millisecond."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> torch.Tensor:
        value = index
        for _ in range(8000):
            value = (value * 1103515245 + 12345) & 0x7FFFFFFF
        return torch.full((3, 32, 32), value % 255, dtype=torch.uint8)


class Remote(Dataset[torch.Tensor]):
    """Items from a slow store: 4 ms per item, with any number of workers."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> torch.Tensor:
        time.sleep(0.004)
        return torch.full((3, 32, 32), index % 255, dtype=torch.uint8)


def jpeg(folder: Path) -> DataLoader[torch.Tensor]:
    """Return a loader that decodes photographs."""
    return DataLoader(Pictures(write_photographs(folder, PICTURES), 20_000), batch_size=16)


def transform(_folder: Path) -> DataLoader[torch.Tensor]:
    """Return a loader that computes in Python."""
    return DataLoader(Transformed(50_000), batch_size=16)


def remote(_folder: Path) -> DataLoader[torch.Tensor]:
    """Return a loader that waits for a slow store."""
    return DataLoader(Remote(50_000), batch_size=16)


def memory(_folder: Path) -> DataLoader[tuple[torch.Tensor, ...]]:
    """Return a loader that copies images from memory."""
    return DataLoader(TensorDataset(torch.zeros(2000, 3, 96, 96)), batch_size=64)


def huge(_folder: Path) -> DataLoader[tuple[torch.Tensor, ...]]:
    """Return a loader with batches of 77 MB."""
    return DataLoader(TensorDataset(torch.zeros(256, 3, 224, 224)), batch_size=128)


def tiny(_folder: Path) -> DataLoader[tuple[torch.Tensor, ...]]:
    """Return a loader with one number per item."""
    return DataLoader(TensorDataset(torch.zeros(500_000)), batch_size=256)


LOADS: dict[str, Callable[[Path], DataLoader]] = {  # type: ignore[type-arg]
    "jpeg": jpeg,
    "transform": transform,
    "remote": remote,
    "memory": memory,
    "huge": huge,
    "tiny": tiny,
}

WAITING = frozenset({"remote"})
"""Loads that mostly wait: more workers make them faster, far beyond the number of CPUs."""
