"""The tuner where the device works while the host prepares the next batch, with a device made of a thread."""

from __future__ import annotations

import queue
import statistics
import threading
import time

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from jupyter_gpuperf.benchmarks.declaration import Context
from jupyter_gpuperf.loaders.device_timeline import HostTimeline
from jupyter_gpuperf.tuning import tune
from jupyter_gpuperf.tuning.request import TuneRequest

STEP_SECONDS = 0.04


class Device(HostTimeline):
    """Works through what is queued, as a GPU does; its marks are passed in the same queue."""

    runs_ahead = True

    def __init__(self):
        super().__init__()
        self._queue = queue.Queue()
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self):
        while True:
            self._queue.get()()

    def launch(self, batch):
        self._queue.put(lambda: time.sleep(STEP_SECONDS))

    def mark(self):
        passed = [threading.Event(), 0.0]

        def note():
            passed[1] = time.perf_counter()
            passed[0].set()

        self._queue.put(note)
        return passed

    def seconds(self, begin, end):
        end[0].wait()
        return end[1] - begin[1]

    def wait(self):
        self.mark_passed(self.mark())

    def mark_passed(self, mark):
        mark[0].wait()


class Items(Dataset):
    def __init__(self, seconds):
        self.seconds = seconds

    def __len__(self):
        return 100_000

    def __getitem__(self, index):
        time.sleep(self.seconds)
        return torch.tensor(index)


@pytest.fixture
def device(monkeypatch):
    device = Device()
    monkeypatch.setattr(tune, "timeline_of", lambda torch, modules: device)
    return device


def tuned(loader, device, budget_seconds=12):
    context = Context(progress=lambda ratio, words: None, warn=lambda words: None)
    request = TuneRequest(step=device.launch, budget_seconds=budget_seconds)
    return tune.tune_loader(loader, "loader", request, context)


def plain_seconds(loader, device, steps=30):
    """The plain loop, start to start, synchronized only at its ends."""
    batches = iter(loader)
    device.launch(next(batches))
    device.wait()
    began = time.perf_counter()
    for _ in range(steps):
        device.launch(next(batches))
    device.wait()
    return (time.perf_counter() - began) / steps


def test_what_the_device_hides_is_no_gain(device):
    loader = DataLoader(Items(0.002), batch_size=8)  # 16 ms, while the device works for 40
    answer = tuned(loader, device)
    assert answer["recommended"]["num_workers"] == 0
    assert answer["summary"][1] == "This is your current setting."
    assert answer["enough"]
    assert answer["limit"] == "step"


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # they only sleep
def test_the_printed_gain_is_that_of_the_plain_loop(device):
    loader = DataLoader(Items(0.04), batch_size=2)  # 80 ms: twice the step
    answer = tuned(loader, device)
    chosen = DataLoader(
        loader.dataset, batch_size=2, num_workers=answer["recommended"]["num_workers"]
    )
    gain = statistics.median(
        plain_seconds(loader, device) / plain_seconds(chosen, device) for _ in range(3)
    )
    # Two just keep up; beside other load, the next ones may seem to be needed. The gain is the same.
    assert answer["recommended"]["num_workers"] in (2, 3, 4)
    # If waiting for the device after each step counted, it would be three instead of two.
    assert answer["gains"]["present"]["value"] == pytest.approx(gain, rel=0.3)
