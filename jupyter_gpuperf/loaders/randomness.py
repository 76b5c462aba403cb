"""Save and restore the states of random generators: the global ones and the user's own."""

from __future__ import annotations

import contextlib
import copy
import functools
import random
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple


class Randomness:
    """The saved states of the global generators of torch, CUDA, Python and NumPy, and of the given generators."""

    def __init__(
        self, torch: Any, generators: Iterable[Any] = (), *, with_cuda: bool = True
    ) -> None:
        handles = map(_handles_of, (*_shared_generators(torch, with_cuda), *generators))
        self._before = [(each, each.read()) for each in handles]

    def restore(self) -> None:
        """Restore all saved states."""
        for each, state in self._before:
            each.write(state)

    def drawn_from(self) -> bool:
        """Return whether any of the generators was used since its state was saved."""
        return not all(_alike(each.read(), state) for each, state in self._before)

    def reseed(self, seed: int) -> None:
        """Seed all of the generators, so that code draws other random numbers than before."""
        for each, _ in self._before:
            each.seed(seed)


class _Handles(NamedTuple):
    """Functions that read, set and seed the state of one generator."""

    read: Callable[[], Any]
    write: Callable[[Any], object]
    seed: Callable[[int], object]


def _handles_of(generator: Any) -> _Handles:
    numpy = _numpy_random()
    bits = getattr(generator, "bit_generator", None)  # NumPy's Generator
    if numpy is not None and isinstance(generator, numpy.BitGenerator):
        bits = generator
    if bits is not None:
        write = functools.partial(setattr, bits, "state")
        return _Handles(
            lambda: copy.deepcopy(bits.state), write, lambda seed: write(type(bits)(seed).state)
        )
    if hasattr(generator, "getstate"):
        return _Handles(generator.getstate, generator.setstate, generator.seed)
    seed = generator.manual_seed if hasattr(generator, "manual_seed") else generator.seed
    return _Handles(generator.get_state, generator.set_state, seed)


def cuda_in_use(torch: Any) -> bool:
    """Return whether this process has initialized CUDA. Does not initialize it."""
    return bool(torch.cuda.is_available() and torch.cuda.is_initialized())


def is_generator(torch: Any, value: object) -> bool:
    """Return whether a value is a random generator whose state can be read and set."""
    kind = type(value)  # an object's own `__class__` may be another's
    if issubclass(kind, random.Random):
        return not issubclass(kind, random.SystemRandom)
    numpy = _numpy_random()
    return issubclass(kind, torch.Generator) or (
        numpy is not None
        and issubclass(kind, (numpy.Generator, numpy.RandomState, numpy.BitGenerator))
    )


def _shared_generators(torch: Any, with_cuda: bool) -> list[Any]:
    python: Any = random.getstate
    numpy = _numpy_random()
    return [
        torch.default_generator,
        *(torch.cuda.default_generators if with_cuda and cuda_in_use(torch) else ()),
        python.__self__,
        *(() if numpy is None else (numpy.get_state.__self__,)),
    ]


def _numpy_random() -> Any:
    return sys.modules.get("numpy.random")


def _alike(one: Any, other: Any) -> bool:
    # States are tensors, arrays and numbers, or tuples and dictionaries of them.
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[key], other[key]) for key in one)
    if hasattr(one, "tolist") and hasattr(other, "tolist"):
        return bool((one == other).all())
    return bool(one == other)


@contextlib.contextmanager
def random_state_restored() -> Iterator[None]:
    """Restore the host's global random states after the context, because samplers and transforms draw from them."""
    import torch

    before = Randomness(torch, with_cuda=False)
    try:
        yield
    finally:
        before.restore()
