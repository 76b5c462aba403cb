"""The states of all sources of random numbers: those that all code shares, and generators of the user's own."""

from __future__ import annotations

import contextlib
import copy
import random
import sys
from collections.abc import Iterable, Iterator
from typing import Any


class Randomness:
    """The states of torch's, CUDA's, Python's and NumPy's shared generators, and of others."""

    def __init__(self, torch: Any, generators: Iterable[Any] = ()) -> None:
        self._before = [
            (each, _state_of(each)) for each in (*_shared_generators(torch), *generators)
        ]

    def restore(self) -> None:
        """Put them back."""
        for generator, state in self._before:
            _set_state(generator, state)

    def drawn_from(self) -> bool:
        """Tell whether any source has moved on since."""
        return not all(_alike(_state_of(each), state) for each, state in self._before)

    def reseed(self, seed: int) -> None:
        """Start all of them anew: another draw of what is random in the code."""
        for generator, _ in self._before:
            bits = _bit_generator(generator)
            if bits is not None:
                bits.state = type(bits)(seed).state
            elif hasattr(generator, "manual_seed"):
                generator.manual_seed(seed)
            else:
                generator.seed(seed)


def cuda_in_use(torch: Any) -> bool:
    """Tell whether this process has begun to use a GPU; asking does not begin it."""
    return bool(torch.cuda.is_available() and torch.cuda.is_initialized())


def is_generator(torch: Any, value: object) -> bool:
    """Tell whether this is a source of random numbers whose state can be read and set."""
    if isinstance(value, random.Random):
        return not isinstance(value, random.SystemRandom)
    numpy = _numpy_random()
    return isinstance(value, torch.Generator) or (
        numpy is not None
        and isinstance(value, (numpy.Generator, numpy.RandomState, numpy.BitGenerator))
    )


def _shared_generators(torch: Any) -> list[Any]:
    python: Any = random.getstate
    numpy = _numpy_random()
    return [
        torch.default_generator,
        *(torch.cuda.default_generators if cuda_in_use(torch) else ()),
        python.__self__,
        *(() if numpy is None else (numpy.get_state.__self__,)),
    ]


def _numpy_random() -> Any:
    return sys.modules.get("numpy.random")


def _bit_generator(generator: Any) -> Any:
    """Return what holds the state of NumPy's newer generators; ``None`` of others."""
    numpy = _numpy_random()
    if numpy is not None and isinstance(generator, numpy.BitGenerator):
        return generator
    return getattr(generator, "bit_generator", None)


def _state_of(generator: Any) -> Any:
    """Return a copy of the state."""
    bits = _bit_generator(generator)
    if bits is not None:
        return copy.deepcopy(bits.state)
    return generator.getstate() if hasattr(generator, "getstate") else generator.get_state()


def _set_state(generator: Any, state: Any) -> None:
    bits = _bit_generator(generator)
    if bits is not None:
        bits.state = state
    elif hasattr(generator, "setstate"):
        generator.setstate(state)
    else:
        generator.set_state(state)


def _alike(one: Any, other: Any) -> bool:
    # States are tensors, arrays, numbers, and tuples and dictionaries of them.
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[key], other[key]) for key in one)
    if hasattr(one, "tolist") and hasattr(other, "tolist"):
        return bool((one == other).all())
    return bool(one == other)


@contextlib.contextmanager
def random_state_kept() -> Iterator[None]:
    """Put the shared random states back: samplers and transforms draw from them."""
    import torch

    before = Randomness(torch)
    try:
        yield
    finally:
        before.restore()
