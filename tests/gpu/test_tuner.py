"""The tuner on a real GPU: copies, pinning, a real step, and data sets that use CUDA themselves."""

from __future__ import annotations

import time

import pytest
import torch
from data_sets import Answer
from torch.utils.data import DataLoader, Dataset, TensorDataset

from jupyter_gpuperf.benchmarks.declaration import Context
from jupyter_gpuperf.tuning.request import TuneRequest
from jupyter_gpuperf.tuning.tune import tune_loader


def tuned(subject, **wanted):
    context = Context(progress=lambda ratio, words: None, warn=lambda words: None)
    return Answer(**tune_loader(subject, "train_loader", TuneRequest(**wanted), context))


@pytest.fixture(scope="module")
def images():
    return TensorDataset(torch.rand(2000, 3, 128, 128))


def test_copying_to_the_device_counts_and_both_kinds_of_memory_are_tried(images):
    answer = tuned(DataLoader(images, batch_size=64), budget_seconds=30.0)
    assert "copying each batch to the GPU" in answer.regime_summary
    tried = {trial["pin_memory"] for trial in answer.trials if trial["error"] is None}
    assert tried == {True, False}


def test_a_step_on_the_device_is_timed_on_its_timeline(images):
    model = torch.nn.Conv2d(3, 64, 7).cuda()

    def step(batch):
        for _ in range(10):
            model(batch[0].cuda(non_blocking=True)).sum().backward()

    answer = tuned(DataLoader(images, batch_size=64), step=step, budget_seconds=30.0)
    assert answer.step_seconds > 0.001
    assert answer.trial("recommended")["wait_ratio"]["value"] >= 0
    assert answer.enough is not None


class Slow(Dataset):
    def __len__(self):
        return 100_000

    def __getitem__(self, index):
        time.sleep(0.001)
        return torch.tensor(index)


def test_what_the_device_hides_is_no_gain():
    matrix = torch.rand(4096, 4096, device="cuda")

    def step(batch):
        for _ in range(20):  # tens of milliseconds; a batch takes eight
            matrix @ matrix

    answer = tuned(DataLoader(Slow(), batch_size=8), step=step, budget_seconds=30.0)
    assert answer.step_seconds > 0.02
    assert answer.recommended["num_workers"] == 0
    assert answer.enough


class OnTheDevice(Dataset):
    def __len__(self):
        return 10_000

    def __getitem__(self, index):
        return torch.full((8,), float(index), device="cuda")


def test_items_that_use_cuda_leave_the_notebook_alive_and_are_told():
    torch.zeros(1, device="cuda")  # as in a notebook: forked workers can't use CUDA any more
    answer = tuned(DataLoader(OnTheDevice(), batch_size=8, num_workers=2), budget_seconds=20.0)
    assert any("CUDA" in warning for warning in answer.warnings)
    present = answer.trial("present")
    assert present["error"] is not None
    assert answer.recommended["num_workers"] == 0 or answer.recommended["start_method"]
    assert torch.ones(1, device="cuda").item() == 1.0
