"""Arrays of JAX, by the names that hold them. JAX itself is faked: it is not among the tests' packages."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from jupyter_gpuperf.client.memory import memory

GIB = 2**30


class Device:
    def __init__(self, platform, number, **stats):
        self.platform, self.id, self._stats = platform, number, stats

    def memory_stats(self):
        return self._stats or None


class Array:
    """As ``jax.Array``: it lives on devices, in parts."""

    def __init__(self, *parts):
        self._parts = parts

    @property
    def addressable_shards(self):
        if self._parts is None:
            raise RuntimeError("Array has been deleted.")
        return [
            SimpleNamespace(device=device, data=SimpleNamespace(nbytes=size))
            for device, size in self._parts
        ]

    def delete(self):
        self._parts = None


@pytest.fixture
def jax(monkeypatch):
    module = ModuleType("jax")
    module.arrays = []
    module.live_arrays = lambda platform=None: list(module.arrays)
    monkeypatch.setitem(sys.modules, "jax", module)
    return module


@pytest.fixture
def without_torch(monkeypatch):
    monkeypatch.setattr("jupyter_gpuperf.device_memory.report.loaded_torch", lambda: None)


def owners(view):
    return {(each.kind, each.name): each.bytes for each in view.owners}


def test_arrays_have_the_user_s_names(cells, jax):
    cpu = Device("cpu", 0)
    jax.arrays = [Array((cpu, 4 * GIB)), Array((cpu, 2 * GIB)), Array((cpu, GIB))]
    names = cells.shell.user_ns
    names["params"] = {"dense": {"w": jax.arrays[0], "b": jax.arrays[1]}}
    view = memory("cpu")
    found = owners(view)
    assert found["variable", "params"] == 6 * GIB
    assert found["other", "jax.Array"] == GIB
    params = next(each for each in view.owners if each.name == "params")
    assert params.holders == ["params['dense']['w']", "params['dense']['b']"]


def test_a_notebook_without_torch_shows_the_gpu_that_jax_uses(cells, jax, without_torch):
    gpu = Device("gpu", 1, bytes_in_use=5 * GIB, pool_bytes=60 * GIB)
    jax.arrays = [Array((gpu, 4 * GIB)), Array((Device("cpu", 0), GIB)), Array()]
    jax.arrays[2].delete()
    cells.shell.user_ns["weights"] = jax.arrays[0]
    view = memory()
    assert view.data.device == "cuda:1"
    assert view.data.allocated_bytes == 4 * GIB
    assert owners(view) == {
        ("variable", "weights"): 4 * GIB,
        ("workspace", "buffers of JAX's programs"): GIB,
        ("cache", "unused, kept by JAX"): 55 * GIB,
    }


def test_jax_is_not_started(cells, jax, monkeypatch):
    monkeypatch.setitem(sys.modules, "jax._src.xla_bridge", SimpleNamespace(_backends={}))
    jax.live_arrays = lambda *_: pytest.fail("this would start a platform")
    assert owners(memory("cpu")) is not None
