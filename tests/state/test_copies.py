"""Large data is watched instead of copied, and what the GPU has no room for lies in the host's memory."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from jupyter_gpuperf.ab_tests.ab_test import headroom
from jupyter_gpuperf.state.copies import CopyPlan, plan_copies
from jupyter_gpuperf.state.reachable import reached_from
from jupyter_gpuperf.state.roots import Roots
from jupyter_gpuperf.state.snapshot import StateSnapshot


def device_with(free_bytes):
    return SimpleNamespace(
        cuda=SimpleNamespace(
            is_available=lambda: True,
            is_initialized=lambda: True,
            mem_get_info=lambda: (free_bytes, 2 * free_bytes),
        )
    )


def test_copies_lie_beside_where_as_much_is_left_for_the_steps():
    copies = CopyPlan(sizes_bytes={"cuda": 50, "cpu": 1000})
    assert copies.fit_on_gpu(device_with(100))
    assert not copies.fit_on_gpu(device_with(99))


def test_a_memory_that_views_share_counts_once():
    whole = torch.zeros(100)
    names = {"whole": whole, "views": [whole[index:] for index in range(50)]}
    copies = plan_copies(reached_from(torch, Roots.of_notebook(names)))
    assert copies.sizes_bytes == {"cpu": 400}


def test_gradients_count_too():
    model = torch.nn.Linear(10, 10, bias=False)
    model.weight.grad = torch.zeros(10, 10)
    copies = plan_copies(reached_from(torch, Roots.of_notebook({"model": model})))
    assert copies.sizes_bytes == {"cpu": 800}


def test_of_much_data_only_so_much_is_copied(monkeypatch):
    monkeypatch.setattr("jupyter_gpuperf.state.copies.MOST_BYTES", 2000)
    arrays = [np.zeros(100) for _ in range(5)]
    snapshot = StateSnapshot(torch, Roots.of_notebook({"arrays": arrays}))
    for each in arrays:
        each += 1
    snapshot.restore()
    assert [float(each[0]) for each in arrays] == [0, 0, 1, 1, 1]
    assert snapshot.not_restored == ["arrays[2]", "arrays[3]", "arrays[4]"]


def test_headroom_tells_what_it_could_not_put_back(monkeypatch):
    monkeypatch.setattr("jupyter_gpuperf.state.copies.LARGE_BYTES", 100)
    model, noise, numbers = torch.nn.Linear(1, 1), np.zeros(100), (index for index in range(10**9))

    def step(batch):
        noise[:] += 1
        model.bias.data.add_(next(numbers))

    bias = model.bias.item()
    found = headroom(torch, [torch.zeros(1)], step, steps=2, limit_seconds=0.2)
    assert "Not restored: step.noise, step.numbers." in found.doubt
    assert model.bias.item() == bias


def test_each_process_puts_back_its_part_of_a_model_that_is_spread(tmp_path):
    pytest.importorskip("torch.distributed.fsdp", exc_type=ImportError)
    from torch.distributed import destroy_process_group, init_process_group
    from torch.distributed.fsdp import fully_shard
    from torch.distributed.tensor import init_device_mesh

    init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    try:
        model = torch.nn.Linear(4, 4)
        fully_shard(model, mesh=init_device_mesh("cpu", (1,)))
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)

        def step():
            model(torch.ones(2, 4)).square().mean().backward()
            optimizer.step()

        def looks():
            tensors = [model.weight, model.weight.grad, optimizer.state[model.weight]["exp_avg"]]
            return [each.full_tensor().tolist() for each in tensors]

        step()
        before = looks()
        snapshot = StateSnapshot(torch, Roots.of_step(step))
        step()
        optimizer.zero_grad()
        snapshot.restore()
        assert looks() == before
    finally:
        destroy_process_group()
