"""The step clock on a real GPU: its events against the profiler's kernels, and what it costs. Figures are printed.

python -m pytest tests/gpu/test_step_clock.py -s
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import time
from pathlib import Path

import pytest

from jupyter_gpuperf.loops import LoopWatch
from jupyter_gpuperf.loops.idle_timer import MOST_PAIRS
from jupyter_gpuperf.loops.profile_window import _events
from jupyter_gpuperf.loops.step_profile import NEXT, STEP, summarize_profile
from jupyter_gpuperf.loops.tallies import tally_of

torch = pytest.importorskip("torch")

ITERATOR = torch.utils.data.dataloader._BaseDataLoaderIter
STEPS = 40
POINTS = 2.0
COST = Path(__file__).parents[1] / "perf" / "step_clock_cost.py"


@pytest.fixture(scope="module", autouse=True)
def _cuda(nvidia_smi):
    if not torch.cuda.is_available():
        pytest.skip("this torch has no CUDA")


class Items(torch.utils.data.Dataset):
    """Images that take their time: asleep, as a slow store is, or at work, as a decoder is."""

    def __init__(self, count, *, asleep=0.0, at_work=0.0):
        self._count, self._asleep, self._at_work = count, asleep, at_work
        self._image = torch.randn(3, 224, 224)

    def __len__(self):
        return self._count

    def __getitem__(self, index):
        if self._asleep:
            time.sleep(self._asleep)
        until = time.perf_counter() + self._at_work
        while time.perf_counter() < until:
            pass
        return self._image


LOADERS = {
    "slow store, 0 workers": ({"asleep": 0.004}, {"num_workers": 0}),
    "slow store, 4 workers": ({"asleep": 0.004}, {"num_workers": 4}),
    "slow store, 8 workers, pinned": ({"asleep": 0.004}, {"num_workers": 8, "pin_memory": True}),
    "decoder, 2 workers": ({"at_work": 0.002}, {"num_workers": 2}),
    "decoder, 6 workers": ({"at_work": 0.001}, {"num_workers": 6, "pin_memory": True}),
    "in memory, 0 workers": ({}, {"num_workers": 0}),
    "in memory, 4 workers, pinned": ({}, {"num_workers": 4, "pin_memory": True}),
    "on the GPU already": (None, {}),
}


class OnTheGpu:
    """Batches that lie on the device: as saturated as it gets."""

    def __init__(self, count, batch):
        self._count = count
        self._batch = torch.randn(batch, 3, 224, 224, device="cuda")

    def __iter__(self):
        return iter([self._batch] * self._count)


def training():
    """Return a step of a convolution network in bf16 that takes some milliseconds."""
    layers = []
    for inner, outer in ((3, 64), (64, 128), (128, 256), (256, 256)):
        layers += [torch.nn.Conv2d(inner, outer, 3, 2, 1), torch.nn.BatchNorm2d(outer)]
        layers += [torch.nn.ReLU()]
    head = [torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(256, 100)]
    model = torch.nn.Sequential(*layers, *head).cuda().to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)

    def step(batch):
        batch = batch.to("cuda", non_blocking=True)
        with torch.autocast("cuda", torch.bfloat16):
            loss = model(batch).float().square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def loader_of(name, watching):
    item, options = LOADERS[name]
    if item is None:
        return watching.watch(OnTheGpu(STEPS, 256))
    if options["num_workers"]:
        options = {**options, "persistent_workers": True}
    watching.watch_everything()
    return torch.utils.data.DataLoader(Items(STEPS * 32, **item), batch_size=32, **options)


@pytest.fixture
def marked(monkeypatch):
    """Mark the wait itself in the profile: what the clock does before and after it, and its cost, are not data's."""
    original = ITERATOR.__next__

    def draw(iterator):
        with torch.profiler.record_function(NEXT):
            return original(iterator)

    monkeypatch.setattr(ITERATOR, "__next__", draw)  # the clock's patch wraps it


def epoch(loader, step):
    batches = iter(loader)
    is_torchs = isinstance(loader, torch.utils.data.DataLoader)
    while True:
        with contextlib.nullcontext() if is_torchs else torch.profiler.record_function(NEXT):
            following = next(batches, None)
        if following is None:
            break
        batch = following  # as a loop does: giving 19 MB back to the system takes up to 3 ms, and is no part of next()
        step(batch)


def taken(clock):
    """Take what the clock saw; the device has passed all of it."""
    torch.cuda.synchronize()
    for _ in range(MOST_PAIRS):  # each reads some of what the device has passed
        clock.idle_timer.drop(clock.idle_timer.batch_requested())
    return tally_of(clock, 0.0)


def measured(name):
    """Return idle for data in percent of wall time: by events, by the profiler's kernels, and the host's wait."""
    watching, step = LoopWatch(), training()
    loader = loader_of(name, watching)
    epoch(loader, step)  # workers, cuDNN and the allocator are warm afterwards
    watching.find_device()
    (clock,) = watching.clocks
    with torch.profiler.profile(acc_events=True):  # the profiler's own start, too
        epoch(loader, step)
    while taken(clock) is not None:
        pass
    with torch.profiler.profile(acc_events=True) as profile:
        with torch.profiler.record_function(f"{STEP}all"):
            epoch(loader, step)
        torch.cuda.synchronize()
    tally = taken(clock)
    watching.stop()
    assert tally.count == STEPS
    assert tally.event_step_seconds > 0.9 * tally.step_seconds
    truth = summarize_profile(_events(profile), plain_step_seconds=None, cost_seconds=0.0)
    wall = truth.step_seconds
    return {
        "loader": name,
        "wall_ms_per_step": round(1000 * wall / STEPS, 3),
        "busy_percent": round(100 * truth.busy_seconds / wall, 2),
        "idle_for_data_by_profiler_percent": round(100 * truth.idle_in_next_seconds / wall, 2),
        "idle_for_data_by_events_percent": round(
            100 * tally.event_idle_seconds / tally.event_step_seconds, 2
        ),
        "host_wait_percent": round(100 * tally.wait_seconds / tally.step_seconds, 2),
        "idle_otherwise_percent": round(100 * truth.idle_elsewhere_seconds / wall, 2),
    }


@pytest.mark.usefixtures("marked")
def test_idle_for_data_by_events_is_that_of_the_profilers_kernels():
    found = [measured(name) for name in LOADERS]
    for row in found:
        print(json.dumps(row))
    keep(idle_for_data=found)
    off = {
        row["loader"]: row["idle_for_data_by_events_percent"]
        - row["idle_for_data_by_profiler_percent"]
        for row in found
    }
    assert {name: each for name, each in off.items() if abs(each) > POINTS} == {}


def test_what_the_clock_costs_is_printed():
    spec = importlib.util.spec_from_file_location("step_clock_cost", COST)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    figures = {
        server: module.measure(20_000 if server == "none" else 2000, rounds=6, server=server)
        for server in ("none", "dead", "stopped")
    }
    for server in ("dead", "stopped"):
        del figures[server][
            "with_events_added_us"
        ]  # no server is involved, and so few batches are noise
    print(json.dumps(figures))
    keep(step_clock=figures)
    assert max(each["longest_hold_up_ms"] for each in figures.values()) < 1
    assert figures["none"]["with_events_added_us"] < 50  # the reach is 10: this only sees a blunder


def test_explain_sees_kernels_copies_and_synchronisation():
    from jupyter_gpuperf.loops.profile_window import ProfileWindow

    step, watching, said = training(), LoopWatch(), []
    watching.watch_everything()
    loader = torch.utils.data.DataLoader(Items(32 * 20), batch_size=32)
    window = ProfileWindow(
        torch,
        5,
        lambda found, why: said.append((found, why)),
        lambda: setattr(watching.patch, "draw_batch", None),
    )
    watching.patch.draw_batch = window.draw
    for batch in loader:
        step(batch)
        torch.cuda.synchronize()
    watching.stop()
    ((found, why),) = said
    assert found is not None, why
    assert found.kernels_per_step > 10
    assert found.busy_seconds > 0
    assert any("HtoD" in each.name for each in found.copies)
    assert any(each.name == "cudaDeviceSynchronize" for each in found.syncs)
    print(found)


def keep(**figures):
    if path := os.environ.get("GPUPERF_FIGURES"):
        known = json.loads(Path(path).read_text()) if Path(path).exists() else {}
        Path(path).write_text(json.dumps(known | figures))
