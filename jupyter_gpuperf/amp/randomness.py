"""The states of all sources of random numbers that a cell may draw from."""

from __future__ import annotations

import copy
import random
import sys
from collections.abc import Iterable
from typing import Any


class Randomness:
    """The states of torch's, CUDA's, Python's and NumPy's sources, and of those in the namespace."""

    def __init__(self, torch: Any, generators: Iterable[Any]) -> None:
        self._torch = torch
        self._cpu = torch.get_rng_state()
        self._cuda = torch.cuda.get_rng_state_all() if cuda_in_use(torch) else None
        self._python = random.getstate()
        numpy = sys.modules.get("numpy")
        self._numpy = numpy.random.get_state() if numpy is not None else None
        self._generators = [(each, state_of(torch, each)) for each in generators]

    def restore(self) -> None:
        """Put them back."""
        torch = self._torch
        torch.set_rng_state(self._cpu)
        if self._cuda is not None:
            torch.cuda.set_rng_state_all(self._cuda)
        random.setstate(self._python)
        if self._numpy is not None:
            sys.modules["numpy"].random.set_state(self._numpy)
        for generator, state in self._generators:
            _set_state(torch, generator, state)

    def drawn_from(self) -> bool:
        """Tell whether any source has moved on since."""
        now = Randomness(self._torch, [each for each, _ in self._generators])
        return not all(
            _alike(mine, theirs) for mine, theirs in zip(self._states(), now._states(), strict=True)
        )

    def _states(self) -> list[Any]:
        states = [self._cpu, self._cuda, self._python, self._numpy]
        return [*states, *(state for _, state in self._generators)]

    def reseed(self, seed: int) -> None:
        """Start all of them anew: another draw of what is random in the cell."""
        torch = self._torch
        torch.manual_seed(seed)  # CUDA's, too
        random.seed(seed)
        if self._numpy is not None:
            sys.modules["numpy"].random.seed(seed)
        for generator, _ in self._generators:
            if isinstance(generator, torch.Generator):
                generator.manual_seed(seed)
            elif isinstance(generator, random.Random):
                generator.seed(seed)
            elif hasattr(generator, "bit_generator"):
                fresh = type(generator.bit_generator)(seed)
                generator.bit_generator.state = fresh.state
            else:
                generator.seed(seed)


def cuda_in_use(torch: Any) -> bool:
    """Tell whether this process has begun to use a GPU; asking does not begin it."""
    return bool(torch.cuda.is_available() and torch.cuda.is_initialized())


def state_of(torch: Any, generator: Any) -> Any:
    """Return a generator's state, as a copy."""
    if isinstance(generator, random.Random):
        return generator.getstate()
    if isinstance(generator, torch.Generator) or not hasattr(generator, "bit_generator"):
        return generator.get_state()
    return copy.deepcopy(generator.bit_generator.state)


def _set_state(torch: Any, generator: Any, state: Any) -> None:
    if isinstance(generator, random.Random):
        generator.setstate(state)
    elif isinstance(generator, torch.Generator) or not hasattr(generator, "bit_generator"):
        generator.set_state(state)
    else:
        generator.bit_generator.state = state


def _alike(one: Any, other: Any) -> bool:
    # States are tensors, arrays, numbers, and tuples and dictionaries of them.
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[key], other[key]) for key in one)
    if hasattr(one, "tolist") and hasattr(other, "tolist"):
        return bool((one == other).all())
    return bool(one == other)
