"""The time limit bounds the whole profile, whatever the cell does."""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import time

import pytest
import torch
from cells import STEP, profiled
from torch.utils.data import DataLoader, TensorDataset

from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.precision import profile
from jupyter_gpuperf.precision.options import ProfileOptions

LIMIT = ProfileOptions(modes=("fp32", "bf16"), time_limit_seconds=2.0)


@pytest.fixture(autouse=True)
def hard_limit(monkeypatch):
    monkeypatch.setattr(profile, "LEAST_SECONDS", 2.0)


def test_a_cell_that_gets_slower_and_slower_ends_in_time():
    began_at = []

    def pile_up():
        began_at.append(time.perf_counter())
        time.sleep(0.01 * len(began_at))

    pile_up.__module__ = "torch._C"  # a library's: its state is not restored
    with contextlib.suppress(GpuPerfError):  # on a busy machine, even the first rounds are too slow
        found = profiled(STEP + "pile_up()", LIMIT, pile_up=pile_up)
        assert found.mode("bf16").step_seconds["value"] > 0
    assert began_at[-1] - began_at[1] < 2.5  # no run begins later; waking up may take a while
    assert len(began_at) > 4


def test_a_cell_that_is_too_slow_for_the_limit_is_refused_with_the_reason():
    with pytest.raises(GpuPerfError) as refusal:
        profiled("time.sleep(1.1)", LIMIT, time=time)
    assert refusal.value.code == "time_limit_too_short"
    assert "one run takes 1.1 s" in refusal.value.message


def test_workers_of_earlier_runs_do_not_pile_up(request):
    code = """
holder = Holder()
holder.loader, holder.itself = DataLoader(data, 4, num_workers=1, persistent_workers=True), holder
for (rows,) in holder.loader:
    model(rows)
counts.append(len(multiprocessing.active_children()))
"""
    counts = []

    class Counts:
        append = staticmethod(counts.append)

    Counts.__module__ = "torch._C"
    gc.disable()  # or a collection could end them: torch then waits 5 s for each
    request.addfinalizer(gc.enable)
    profiled(
        code,
        ProfileOptions(modes=("fp32",), time_limit_seconds=4.0, numerics=False),
        Holder=type("Holder", (), {}),
        DataLoader=DataLoader,
        data=TensorDataset(torch.zeros(8, 6)),
        multiprocessing=multiprocessing,
        counts=Counts(),
    )
    assert len(counts) > 4
    assert max(counts) <= max(6, len(counts) / 2)  # those of the runs of one block, not of all
