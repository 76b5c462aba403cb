"""Loops that are timed in turn: whose workers run when, and that none is left standing."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from job_tools import is_alive, wait_until

torch = pytest.importorskip("torch")

from jupyter_gpuperf.ab_tests.blocks import EndlessBatches, Loop
from jupyter_gpuperf.ab_tests.worker_pause import AVAILABLE, WorkerPause
from jupyter_gpuperf.errors import BadRequest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(not AVAILABLE, reason="this system can't hold processes")


@pytest.fixture
def worker_pause():
    worker_pause = WorkerPause()
    yield worker_pause
    worker_pause.close()


def loader(**options):
    data = torch.utils.data.TensorDataset(torch.arange(64.0))
    return torch.utils.data.DataLoader(data, batch_size=4, **options)


def loop(batches, worker_pause, step=lambda batch: None, **options):
    return Loop(batches, step, wait=lambda: None, worker_pause=worker_pause, **options)


def stopped(pids):
    return [psutil.Process(pid).status() == psutil.STATUS_STOPPED for pid in pids]


def test_workers_run_in_their_own_blocks_alone(worker_pause):
    seen, others = [], []

    def step(batch):
        seen.append(all(stopped(others)) and not any(stopped(batches.worker_pids)))

    batches, resting = EndlessBatches(loader(num_workers=2)), EndlessBatches(loader(num_workers=2))
    one = loop(batches, worker_pause, step, workers=2, prefetched=5)
    other = loop(resting, worker_pause, workers=2, prefetched=5)
    other.warm_up(5)
    others += resting.worker_pids
    wait_until(lambda: all(stopped(others)))
    one.warm_up(5)
    seen.clear()
    one.measure_pace(30)
    one.block()
    assert len(seen) >= 4
    assert all(seen)
    wait_until(lambda: all(stopped(batches.worker_pids)))
    pids = [*batches.worker_pids, *others]
    one.close()
    other.close()
    worker_pause.close()
    wait_until(
        lambda: not any(map(is_alive, pids))
    )  # dead is enough: whoever adopts them may reap late


class Locked(torch.utils.data.Dataset):
    """All its copies share a lock, which one of them nearly always has."""

    def __init__(self):
        self.lock = torch.multiprocessing.get_context("fork").Lock()

    def __len__(self):
        return 64

    def __getitem__(self, index):
        with self.lock:
            time.sleep(0.01)
        return index


def test_a_lock_that_a_held_worker_has_holds_up_nobody_for_long():
    worker_pause = WorkerPause(patience_seconds=0.5)
    data = Locked()
    options = {"batch_size": 4, "num_workers": 2, "multiprocessing_context": "fork"}
    both = [EndlessBatches(torch.utils.data.DataLoader(data, **options)) for _ in range(2)]
    loops = [loop(each, worker_pause, workers=2, prefetched=5) for each in both]
    try:
        for each in loops:
            each.warm_up(0.2)
        for each in (loops * 10)[:20]:
            each.block()
        assert (
            not worker_pause.is_possible
        )  # or no worker was ever stopped with the lock, and this proved nothing
    finally:
        for each in loops:
            each.close()
        worker_pause.close()


class Bursts:
    """Batches that come as four workers give them: a wait, and then four at once. On a clock."""

    def __init__(self, first_seconds=0.0):
        self.now, self.given, self._first_seconds = 0.0, 0, first_seconds

    def clock(self):
        return self.now

    def __iter__(self):
        return self

    def __next__(self):
        if self.given % 4 == 0:
            self.now += 4.0 if self.given else self._first_seconds + 4.0
        self.given += 1
        return self.given

    def step(self, batch):
        self.now += 0.001

    def loop(self, worker_pause):
        options = {"workers": 4, "prefetched": 9, "clock": self.clock}
        return loop(self, worker_pause, self.step, **options)


@pytest.mark.parametrize("look_seconds", [1e-4, 0.0015, 5.0, 100.0])
def test_a_look_is_not_deceived_by_what_workers_give_at_once(worker_pause, look_seconds):
    bursts = Bursts()
    one = bursts.loop(worker_pause)
    one.warm_up(1e-4)
    one.measure_pace(look_seconds)
    assert 0.9 <= one.pace.seconds <= 5.0


def test_a_slow_start_of_workers_does_not_make_their_steps_look_slow(worker_pause):
    one = Bursts(first_seconds=100.0).loop(worker_pause)
    one.warm_up(50.0)
    one.measure_pace(100.0)
    assert one.pace.seconds < 1.1


def test_using_up_ends_when_a_batch_is_waited_for(worker_pause):
    bursts = Bursts()
    bursts.loop(worker_pause).warm_up(1e6)
    assert bursts.given == 5  # the first four were there at once


def test_without_a_queue_one_step_warms_up_and_a_look_is_short_of_time_after_one(worker_pause):
    taken = []
    one = loop(itertools.cycle([1]), worker_pause, taken.append)
    one.warm_up(1.0)
    assert len(taken) == 1
    one.measure_pace(0.0)
    assert len(taken) == 2


def test_a_loader_goes_on_epoch_after_epoch_and_an_empty_one_is_told():
    batches = EndlessBatches(loader())
    firsts = [float(next(batches)[0][0]) for _ in range(40)]
    assert firsts == [4.0 * (place % 16) for place in range(40)]
    with pytest.raises(BadRequest) as error:
        next(EndlessBatches([]))
    assert error.value.code == "empty_loader"


NOTEBOOK = """
import time, torch
from jupyter_gpuperf.ab_tests.blocks import EndlessBatches, Loop
from jupyter_gpuperf.ab_tests.worker_pause import WorkerPause

class Data(torch.utils.data.Dataset):
    def __len__(self): return 64
    def __getitem__(self, index): return index

batches = EndlessBatches(torch.utils.data.DataLoader(Data(), batch_size=4, num_workers=2))
Loop(batches, lambda batch: None, wait=lambda: None, worker_pause=WorkerPause(), workers=2).warm_up(5)
print(*batches.worker_pids, flush=True)
time.sleep(600)
"""


@pytest.fixture
def start_notebook():
    """Start a process that prints pids, and whatever becomes of it."""
    notebooks, pids = [], []

    def start(code):
        notebooks.append(
            subprocess.Popen(
                [sys.executable, "-c", code],
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )
        )
        pids.extend(int(each) for each in notebooks[-1].stdout.readline().split())
        return notebooks[-1], pids

    yield start
    for notebook in notebooks:
        notebook.kill()
        notebook.wait()
        notebook.stdout.close()
    for pid in filter(is_alive, pids):
        os.kill(pid, signal.SIGKILL)


def test_workers_that_are_held_end_when_their_notebook_is_killed(start_notebook):
    notebook, pids = start_notebook(NOTEBOOK)
    assert len(pids) == 2
    wait_until(lambda: all(stopped(pids)))
    notebook.send_signal(signal.SIGKILL)
    notebook.wait()
    wait_until(lambda: not any(map(is_alive, pids)))  # whoever adopts them may reap them late


HOLDS_ONE_THAT_HAS_NOT_BEGUN = """
import subprocess, sys, time
from jupyter_gpuperf.ab_tests.worker_pause import WorkerPause

worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
worker_pause = WorkerPause()
worker_pause.pause([worker.pid])
print(worker.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
def test_what_is_held_ends_with_its_notebook_although_it_does_not_look_for_it(start_notebook):
    notebook, pids = start_notebook(HOLDS_ONE_THAT_HAS_NOT_BEGUN)
    notebook.send_signal(signal.SIGKILL)
    notebook.wait()
    wait_until(lambda: not any(map(is_alive, pids)))
