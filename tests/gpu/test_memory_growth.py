"""Growing memory on a real GPU: which name is found, after how long, and what the readings and the search cost.

python -m pytest tests/gpu/test_memory_growth.py -s
"""

from __future__ import annotations

import statistics
import time
from typing import ClassVar

import pytest

from jupyter_gpuperf.client.watch_session import WatchSession
from jupyter_gpuperf.device_memory.growth_search import HolderSearch
from jupyter_gpuperf.device_memory.notebook import Notebook

torch = pytest.importorskip("torch")

SECONDS = 40.0
WIDTH = 1024


@pytest.fixture(scope="module", autouse=True)
def _cuda(nvidia_smi):
    if not torch.cuda.is_available():
        pytest.skip("this torch has no CUDA")


@pytest.fixture
def session():
    session = WatchSession()
    session.watching.watch_everything()
    session.report()
    yield session
    session.stop()
    torch.cuda.empty_cache()


class TimedSearch(HolderSearch):
    """Notes how long the looks take."""

    seconds: ClassVar = {}

    def begin(self):
        began = time.perf_counter()
        super().begin()
        self.seconds["begin"] = time.perf_counter() - began

    def end(self, added_bytes):
        began = time.perf_counter()
        holder = super().end(added_bytes)
        self.seconds["end"] = time.perf_counter() - began
        return holder


def train(session, losses, kept):
    """Train until growth with a holder is known, at most for ``SECONDS``; return the growth and the time until then."""
    model = torch.nn.Sequential(*(torch.nn.Linear(WIDTH, WIDTH) for _ in range(4))).cuda()
    optimizer = torch.optim.Adam(model.parameters())
    loader = torch.utils.data.DataLoader(torch.randn(10_240, WIDTH), batch_size=256)
    began = time.monotonic()
    for _ in range(1000):
        for batch in loader:
            loss = model(batch.cuda()).square().mean()
            loss.backward(retain_graph=True)
            optimizer.step()
            optimizer.zero_grad()
            losses.append(kept(loss))
            time.sleep(0.02)
            growth = session.watching.clocks[0].info.memory_growth
            seconds = time.monotonic() - began
            if seconds > SECONDS or (growth is not None and growth.holder):
                return growth, seconds
    return None


def test_a_list_of_losses_is_named(session):
    session.watching.growth_search = lambda index: TimedSearch(
        torch, Notebook(None), torch.device("cuda", index)
    )
    growth, seconds = train(session, [], lambda loss: loss)
    print(f"\nfound after {seconds:.1f} s: {growth}; seconds of the looks: {TimedSearch.seconds}")
    assert (growth.holder, growth.function) == ("losses", "train")
    assert growth.holds_graphs


def test_a_loop_that_keeps_numbers_grows_by_nothing_and_readings_are_short(session):
    growth, _ = train(session, [], lambda loss: loss.item())
    reader = session.watching.clocks[0].memory_reader
    times = []
    for _ in range(200):
        reader.read(0.0)
        times.append(1e6 * reader.took_seconds)
    print(f"\none reading takes {statistics.median(times):.1f} µs")
    assert growth is None
