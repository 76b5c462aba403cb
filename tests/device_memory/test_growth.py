"""Real loops whose memory grows, or does not: whether it is found, and which name is said to hold it.

The tensors are the CPU's; what torch would count on a GPU is the memory of all that is alive.
"""

from __future__ import annotations

import gc
import sys
import weakref
from pathlib import Path
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from torch.utils._python_dispatch import TorchDispatchMode

from jupyter_gpuperf.device_memory.growth_search import HolderSearch
from jupyter_gpuperf.device_memory.notebook import Notebook
from jupyter_gpuperf.device_memory.objects import locals_of_running
from jupyter_gpuperf.loop_store.step_window import steps_of
from jupyter_gpuperf.loops.batch_counter import BatchCounter
from jupyter_gpuperf.loops.clock import IteratorClock, LoopClock
from jupyter_gpuperf.loops.growth_watch import GrowthWatch
from jupyter_gpuperf.loops.memory_reader import MemoryReader
from jupyter_gpuperf.loops.tallies import tally_of
from jupyter_gpuperf.rules import RULES, judge
from jupyter_gpuperf.schemas.training import WatchedLoop

sys.path.append(str(Path(__file__).parents[1] / "rules"))
from made import GIB, device, window

CPU = torch.device("cpu")
STEP_SECONDS = 0.4
WIDTH = 64


class Counter(TorchDispatchMode):
    """Counts the bytes of all tensors alive that were made since, as a GPU's allocator does."""

    def __init__(self):
        super().__init__()
        self.bytes = 0
        self._alive = set()

    @classmethod
    def _should_skip_dynamo(cls):
        return False  # otherwise torch imports its compiler, for seconds

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        for each in made if isinstance(made, (tuple, list)) else (made,):
            if isinstance(each, torch.Tensor):
                self._count(each.untyped_storage())
        return made

    def _count(self, storage):
        key, size = storage._cdata, storage.nbytes()
        if key not in self._alive:
            self._alive.add(key)
            self.bytes += size
            weakref.finalize(storage, self._free, key, size).atexit = False

    def _free(self, key, size):
        self._alive.discard(key)
        self.bytes -= size


class Batches:
    """A loader that is watched; its clock is the test's."""

    def __init__(self, notebook, counter, epoch_batches):
        self.counter = counter
        self.notebook, self.epoch_batches, self.now = notebook, epoch_batches, 1.0
        info = WatchedLoop(id=1, name="batches", batches_per_epoch=epoch_batches)
        self.clock = LoopClock(info, BatchCounter())
        fake = SimpleNamespace(memory_stats_as_nested_dict=self._stats)
        fake.get_device_properties = lambda index: SimpleNamespace(total_memory=1e6)
        self.clock.memory_reader = MemoryReader(SimpleNamespace(cuda=fake), 0)
        self.watch = GrowthWatch(self.clock, self.clock.memory_reader, self._search)
        self.searches = 0
        self.found = []

    def epoch(self, steps=None):
        """Yield an epoch's batches, or some of them."""
        clock = IteratorClock(self.clock, lambda: True)
        for _ in range(steps or self.epoch_batches):
            self._request(clock)
            batch = torch.randn(8, WIDTH)
            clock.batch_received(self.now, batch)
            self.now += STEP_SECONDS
            yield batch
            del batch
        self._request(clock)
        clock.end()

    def _request(self, clock):
        clock.batch_requested(self.now)
        if (tally := tally_of(self.clock, 0.0)) is not None:
            self.watch.add(tally)
            loop = steps_of(self.clock.info, [tally], pid=1, notebook="", busy=lambda *_: None)
            rules = [each for each in RULES if each.code == "memory-growth"]
            gpu = device(memory_used_bytes=10 * GIB, memory_total_bytes=10.2 * GIB)
            self.found += judge(window(gpu, steps=[loop]), rules)

    def _search(self, index):
        self.searches += 1
        return HolderSearch(torch, self.notebook, CPU)

    def _stats(self, index):
        now = {"current": self.counter.bytes, "peak": 0}
        return {"allocated_bytes": {"all": now}, "reserved_bytes": {"all": now}}


@pytest.fixture(autouse=True)
def one_thread():
    """On a machine with other work, threads of small operations wait for each other most of the time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def run(cells):
    """Run cells with a loader, and return what was found."""

    def run(code, epoch_batches=1000):
        counter = Counter()
        batches = Batches(Notebook(cells.shell), counter, epoch_batches)
        cells.shell.user_ns["batches"] = batches
        with counter:
            cells.run(START)
            assert cells.run(code).success
        return batches

    return run


START = f"""
from collections import deque
import copy, random
torch.manual_seed(0)
random.seed(0)
model = nn.Sequential(nn.Linear({WIDTH}, {WIDTH}), nn.ReLU(), nn.Linear({WIDTH}, {WIDTH}))
def step(batch):
    out = model(batch)
    loss = out.square().mean()
    model.zero_grad()
    loss.backward(retain_graph=True)  # otherwise a kept loss keeps no activations
    update()
    return out, loss
def update():
    with torch.no_grad():
        for each in model.parameters():
            each -= 0.001 * each.grad
"""

LEAKS = {
    "list_of_losses": (
        "losses",
        """
losses = []
for batch in batches.epoch(70):
    losses.append(step(batch)[1])
""",
    ),
    "running_sum": (
        "total",
        """
total = 0
for batch in batches.epoch(70):
    total = total + step(batch)[1]
""",
    ),
    "sum_in_place": (
        "total",
        """
total = 0
for batch in batches.epoch(70):
    total += step(batch)[1]
""",
    ),
    "history": (
        "history['loss']",
        """
history = {'loss': [], 'lr': []}
for batch in batches.epoch(70):
    history['loss'].append(step(batch)[1])
    history['lr'].append(0.1)
""",
    ),
    "in_a_function": (
        "losses in train()",
        """
def train():
    losses = []
    for batch in batches.epoch(70):
        losses.append(step(batch)[1])
train()
""",
    ),
    "attribute": (
        "trainer.outputs",
        """
class Trainer:
    def fit(self):
        self.outputs = []
        for batch in batches.epoch(70):
            self.outputs.append(step(batch)[0])
trainer = Trainer()
trainer.fit()
""",
    ),
    "cache": (
        "cache",
        """
cache = {}
for i, batch in enumerate(batches.epoch(70)):
    cache[i] = step(batch)[0]
""",
    ),
    "hidden_state": (
        "hidden",
        """
cell = nn.RNNCell(64, 64)
hidden = torch.zeros(8, 64)
for batch in batches.epoch(70):
    hidden = cell(batch, hidden)
""",
    ),
}


@pytest.mark.parametrize("name", LEAKS)
def test_a_graph_kept_in_each_step_is_found_and_its_name_is_said(run, name):
    holder, code = LEAKS[name]
    batches = run(code)
    assert batches.found, batches.clock.info
    assert batches.found[-1].summary.startswith(f"{holder} grows by one graph a step, ")
    assert "memory is full in about" in batches.found[-1].summary
    assert batches.searches == 1


@pytest.mark.parametrize("kept", ["out.detach()", "out.detach().clone()"])
def test_tensors_kept_without_a_graph_are_found_once_they_outlast_their_epoch(run, kept):
    code = f"""
outputs = []
for _ in range(3):
    for batch in batches.epoch():
        out, _ = step(batch)
        outputs.append({kept})
"""
    batches = run(code, epoch_batches=40)
    assert batches.found[-1].summary.startswith("outputs grows by 2.0 KiB a step")


HEALTHY = {
    "plain": """
for batch in batches.epoch(90):
    out, loss = step(batch)
""",
    "losses_as_numbers": """
losses = []
for batch in batches.epoch(90):
    losses.append(step(batch)[1].item())
""",
    "gradients_accumulated": """
sum_of_losses = 0
for i, batch in enumerate(batches.epoch(120)):
    sum_of_losses = sum_of_losses + model(batch).square().mean()
    if i % 32 == 31:
        sum_of_losses.backward()
        update()
        model.zero_grad()
        sum_of_losses = 0
""",
    "outputs_of_an_epoch": """
for _ in range(2):
    outputs = []
    for batch in batches.epoch(100):
        outputs.append(step(batch)[0].detach())
""",
    "replay_buffer": """
buffer = deque(maxlen=40)
for batch in batches.epoch(160):
    buffer.append(step(batch)[0].detach())
""",
    "running_mean": """
mean = 0.0
for batch in batches.epoch(90):
    mean = 0.9 * mean + 0.1 * step(batch)[1].detach()
""",
    "batches_of_any_length": """
for batch in batches.epoch(120):
    out, loss = step(batch.repeat(random.randrange(1, 40), 1))
""",
    "batches_that_get_longer": """
for i, batch in enumerate(batches.epoch(120)):
    out, loss = step(batch[: 1 + i // 15])
""",
    "cache_that_is_emptied": """
cache = {}
for i, batch in enumerate(batches.epoch(160)):
    cache[i] = step(batch)[0].detach()
    if len(cache) == 70:
        cache.clear()
""",
    "best_weights": """
for i, batch in enumerate(batches.epoch(120)):
    out, loss = step(batch)
    if i in (0, 2, 7, 20, 50):
        best = copy.deepcopy(model.state_dict())
""",
    "truncated_backpropagation": """
hidden = torch.zeros(8, 64)
cell = nn.RNNCell(64, 64)
for i, batch in enumerate(batches.epoch(120)):
    hidden = cell(batch, hidden)
    if i % 10 == 9:
        hidden.mean().backward()
        hidden = hidden.detach()
""",
    "weights_of_each_epoch": """
averaged = []
for _ in range(4):
    for batch in batches.epoch():
        out, loss = step(batch)
    averaged = (averaged + [copy.deepcopy(model.state_dict())])[-2:]
""",
}


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_loop_has_no_finding(run, name):
    batches = run(HEALTHY[name], epoch_batches=100 if "epoch(1" in HEALTHY[name] else 40)
    assert batches.found == []


def test_of_many_graphs_the_newest_are_searched(cells, monkeypatch):
    cells.run("def graph(): return torch.ones(N, requires_grad=True).exp().sum()")
    cells.run("N = 500\ncache = {i: graph() for i in range(200)}")
    search = HolderSearch(torch, Notebook(cells.shell), CPU)
    search.begin()
    monkeypatch.setattr("jupyter_gpuperf.device_memory.growth_search.MOST_NODES", 60)
    cells.run("cache |= {i: graph() for i in range(200, 210)}")
    holder = search.end(10 * 2 * 500 * 4)
    assert holder == ("cache", None, True)


def test_a_search_that_takes_too_long_or_fails_finds_nothing(cells, monkeypatch):
    search = HolderSearch(torch, Notebook(cells.shell), CPU)
    search.begin()
    monkeypatch.setattr("jupyter_gpuperf.device_memory.growth_search.LIMIT_SECONDS", -1.0)
    cells.run("kept = [torch.zeros(N) for _ in range(10)]")
    assert search.end(10 * 4e6) is None
    monkeypatch.setattr("jupyter_gpuperf.device_memory.growth_search.Names", None)
    assert search.end(10 * 4e6) is None


def test_reading_a_running_functions_variables_keeps_none_alive():
    def work():
        kept = torch.zeros(4)
        found = locals_of_running(sys._getframe())
        assert found["kept"] is kept
        storage = weakref.ref(kept)
        del kept, found
        gc.collect()
        return storage()

    assert work() is None


def test_a_users_own_copy_of_local_variables_is_left_alone():
    def work():
        kept = torch.zeros(4)
        own = locals()
        locals_of_running(sys._getframe())
        return own["kept"] is kept

    assert work()
