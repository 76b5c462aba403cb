"""Torch's allocator snapshot, read as blocks, pools and fragments."""

from __future__ import annotations

import types

import pytest
import torch

from jupyter_gpuperf.client.memory import memory
from jupyter_gpuperf.device_memory.allocator import Allocator
from jupyter_gpuperf.device_memory.report import size_of
from jupyter_gpuperf.device_memory.storages import Storage

MIB = 2**20


def segment(address, *blocks, pool=(0, 0)):
    """A segment in the form of ``torch.cuda.memory_snapshot()``."""
    return {
        "device": 0,
        "address": address,
        "total_size": sum(size for _, size in blocks),
        "segment_pool_id": pool,
        "blocks": [{"state": state, "size": size} for state, size in blocks],
    }


def test_blocks_cache_and_fragments_are_distinguished():
    state = Allocator()
    state.add(segment(1000, ("active_allocated", 2 * MIB), ("inactive", 18 * MIB)))
    state.add(segment(90 * MIB, ("inactive", 20 * MIB)))
    state.add(segment(200 * MIB, ("active_pending_free", 4 * MIB), pool=(0, 1)))
    assert state.blocks == {1000: (2 * MIB, False), 200 * MIB: (4 * MIB, True)}
    assert state.allocated == 6 * MIB
    assert state.reserved == 44 * MIB
    assert state.fragmented == 18 * MIB  # the other unused segment can be returned as a whole
    assert state.largest_free_block == 20 * MIB


def test_a_storage_takes_its_whole_block():
    state = Allocator()
    state.add(segment(1000, ("active_allocated", 512)))
    assert size_of(Storage(1000, 4, "cuda:0"), state) == 512
    assert size_of(Storage(5000, 4, "cuda:0"), state) == 4


@pytest.fixture
def gpu(monkeypatch):
    """A GPU as torch shows it, with nothing in it that Python holds."""
    snapshot = [
        segment(1000, ("active_allocated", 2 * MIB), ("inactive", 18 * MIB)),
        segment(200 * MIB, ("active_allocated", 4 * MIB), pool=(0, 1)),
    ]
    answers = {
        "is_initialized": True,
        "current_device": 0,
        "device_count": 1,
        "is_current_stream_capturing": False,
        "mem_get_info": (1000 * MIB, 1100 * MIB),
        "memory_snapshot": snapshot,
        "get_device_properties": types.SimpleNamespace(uuid="1234"),
    }
    for name, answer in answers.items():
        monkeypatch.setattr(torch.cuda, name, lambda *_, answer=answer: answer)


def test_a_gpu_s_memory_without_tensors_is_shown(gpu):
    view = memory()
    report = view.to_dict()
    assert report["device"] == "cuda:0"
    assert report["allocated_bytes"] == 6 * MIB
    assert report["reserved_bytes"] == 24 * MIB
    assert report["attributed_ratio"] == 0
    sizes = {each["kind"]: each["bytes"] / MIB for each in report["owners"]}
    assert sizes == {"context": 76, "cache": 18, "workspace": 4, "other": 2}
    text = repr(view).replace("\xa0", " ")
    assert "0.0 % of the tensors' memory has an owner." in text
    assert "Fragmentation: 18.0 MiB unused between tensors" in text
    assert "CUDA graphs" in view._repr_html_()
