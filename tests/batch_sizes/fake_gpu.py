"""A GPU as torch shows it: an allocator with counters, and an error when its memory runs out."""

from __future__ import annotations

import types

import torch

MIB = 2**20


class Block:
    """Memory that is freed when nothing refers to it any more."""

    __module__ = "torch.cuda"  # what torch keeps there is no state of the step
    __slots__ = ("gpu", "size")

    def __init__(self, gpu, size):
        self.gpu, self.size = gpu, size

    def __del__(self):
        self.gpu.counters.allocated -= self.size


class FakeGpu:
    """Stands for the module ``torch``, of which it has what concerns memory.

    Parameters
    ----------
    total
        Memory of the device that other processes don't use.
    waste
        What the allocator reserves, relative to what it allocates.
    """

    __module__ = "torch.cuda"
    OutOfMemoryError = torch.OutOfMemoryError
    uint8 = torch.uint8
    device = types.SimpleNamespace(type="cuda", index=0)

    def __init__(self, total=1000 * MIB, waste=1.0):
        # An object of its own, or the counters would look like state of the step that was not restored.
        self.counters = counters = types.SimpleNamespace(
            total=total,
            allocated=0,
            reserved=0,
            peak_allocated=0,
            peak_reserved=0,
            failures=0,
            most_ever=0,
        )
        self.waste = waste
        self.workspaces = types.SimpleNamespace(blocks=[])
        self._C = types.SimpleNamespace(
            _cuda_clearCublasWorkspaces=lambda: self.workspaces.blocks.clear()
        )
        self.cuda = types.SimpleNamespace(
            memory_allocated=lambda device: counters.allocated,
            memory_reserved=lambda device: counters.reserved,
            max_memory_allocated=lambda device: counters.peak_allocated,
            max_memory_reserved=lambda device: counters.peak_reserved,
            reset_peak_memory_stats=self._reset,
            mem_get_info=lambda device: (counters.total - counters.reserved, 2 * counters.total),
            memory_stats=lambda device: {"num_ooms": counters.failures},
            empty_cache=self.empty_cache,
            synchronize=lambda device: None,
            OutOfMemoryError=torch.OutOfMemoryError,
        )

    def empty(self, size, dtype=None, device=None):
        """Allocate, as ``torch.empty`` does."""
        size, now = -(-int(size) // 512) * 512, self.counters
        if self.waste * (now.allocated + size) > now.total:
            now.failures += 1
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate.")
        now.allocated += size
        now.reserved = max(now.reserved, self.waste * now.allocated)
        now.peak_allocated = max(now.peak_allocated, now.allocated)
        now.peak_reserved = max(now.peak_reserved, now.reserved)
        now.most_ever = max(now.most_ever, now.allocated)
        return Block(self, size)

    def multiply(self):
        """Allocate a workspace with the first call, as cuBLAS does."""
        if not self.workspaces.blocks:
            self.workspaces.blocks.append(self.empty(8 * MIB))

    def _reset(self, device):
        now = self.counters
        now.peak_allocated, now.peak_reserved = now.allocated, now.reserved

    def empty_cache(self):
        self.counters.reserved = self.waste * self.counters.allocated


class Training:
    """A model whose step takes memory of the fake GPU: parameters, gradients, optimizer state and activations."""

    def __init__(self, gpu, *, sample=MIB, weights=10 * MIB, every=1):
        self.gpu, self.sample, self.weights, self.every = gpu, sample, weights, every
        self.model = torch.nn.Linear(1, 1)
        self.model.memory = gpu.empty(weights)
        self.optimizer = Optimizer(self.model.parameters(), gpu, weights)
        self.gradients, self.calls, self.sizes = [], 0, []
        self.loader = torch.utils.data.DataLoader(
            torch.utils.data.TensorDataset(torch.zeros(4096, 1)), batch_size=16
        )

    def step(self, batch):
        (rows,) = batch
        self.sizes.append(len(rows))
        activations = [self.gpu.empty(self.sample // 2) for _ in range(2 * len(rows))]
        if not self.gradients:
            self.gradients.append(self.gpu.empty(self.weights))
        self.model(rows).sum().backward()
        del activations
        self.calls += 1
        if self.calls % self.every == 0:
            self.optimizer.step()
            self.optimizer.zero_grad()


class Optimizer(torch.optim.SGD):
    """Takes memory for its state with the first step, and for copies while it works."""

    def __init__(self, parameters, gpu, weights):
        super().__init__(parameters, lr=0.1)
        self._gpu, self._weights = gpu, weights

    def step(self):
        copies = [self._gpu.empty(self._weights) for _ in range(4)]
        state = self.state[self.param_groups[0]["params"][0]]
        if "moments" not in state:
            state["moments"] = self._gpu.empty(2 * self._weights)
        super().step()
        del copies
