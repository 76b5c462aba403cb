"""``jupyter gpuperf run`` with torchrun: the ranks' loops are those of one run."""

from __future__ import annotations

import sys

import msgspec
import pytest
from script_runs import run

from jupyter_gpuperf.schemas.runs import RunRecord

pytest.importorskip("torch")

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
RANKS = """
import os, time, torch, torch.distributed as dist
from torch.utils.checkpoint import checkpoint
try:
    from torch.distributed.fsdp import fully_shard
except ImportError:
    from torch.distributed._composable.fsdp import fully_shard
dist.init_process_group("gloo")

class Net(torch.nn.Module):
    def __init__(self, checkpoints=False):
        super().__init__()
        self.layers = torch.nn.ModuleList([torch.nn.Linear(64, 64) for _ in range(4)])
        self.checkpoints = checkpoints

    def forward(self, batch):
        for layer in self.layers:
            batch = checkpoint(layer, batch, use_reentrant=False) if self.checkpoints else layer(batch)
        return batch

def sharded(model):
    mesh = torch.distributed.device_mesh.init_device_mesh("cpu", (2,))
    for layer in model.layers:
        fully_shard(layer, mesh=mesh)
    return fully_shard(model, mesh=mesh) or model

def train(model, optimizer):
    for _ in range(100):
        time.sleep(0.01)
        optimizer.zero_grad()
        model(torch.randn(16, 64)).sum().backward()
        optimizer.step()

def descent(model):
    return torch.optim.SGD(model.parameters(), lr=0.1)

parallel = torch.nn.parallel.DistributedDataParallel
ddp = parallel(Net())
train(ddp, of_ddp := descent(ddp))
checkpointed = parallel(Net(checkpoints=True))
train(checkpointed, of_checkpointed := descent(checkpointed))
fsdp = sharded(Net())
train(fsdp, of_fsdp := descent(fsdp))
dist.destroy_process_group()
"""


def test_ranks_are_one_run_with_the_phases_of_each(tmp_path):
    words = ["--", *TORCHRUN, "train.py"]
    ended = run(tmp_path, RANKS, "--save", "run.json", words=words, OMP_NUM_THREADS="1")
    assert ended.returncode == 0, ended.stderr
    loops = msgspec.json.decode((tmp_path / "run.json").read_bytes(), type=RunRecord).loops
    assert [each.rank for each in loops] == [0, 0, 0, 1, 1, 1]
    kinds = ("ddp", "checkpointed", "fsdp")
    assert {(each.rank, each.name) for each in loops} == {
        (rank, f"of_{kind}") for rank in (0, 1) for kind in kinds
    }
    assert "rank 1" in ended.stderr
    for loop in loops:
        assert loop.steps in (98, 99)  # the next optimizer takes over after its first step
        for phase in ("forward", "backward", "optimizer"):
            assert loop.phases[phase].host_seconds > 0
