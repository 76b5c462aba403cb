"""Copy samplers and their state. Indices are drawn only from the copies, so the user's samplers never advance.

Standard library only at module level.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from jupyter_gpuperf.errors import BadRequest


class RestartingSampler:
    """Repeats the inner sampler endlessly, so that the loader need not be restarted while it is timed."""

    def __init__(self, inner: Any) -> None:  # any iterable of indices
        self._inner = inner

    def __iter__(self) -> Iterator[Any]:
        while True:
            is_empty = True
            for indices in self._inner:
                is_empty = False
                yield indices
            if is_empty:
                return


def copy_generator(generator: Any, memo: dict[int, Any]) -> Any:
    """Return a copy of a torch generator in the same state; ``None`` for ``None``.

    A loader and a sampler that share a generator also share its copy, which is kept in ``memo``.
    """
    import torch

    if generator is not None and id(generator) not in memo:
        memo[id(generator)] = torch.Generator(device=generator.device)
        memo[id(generator)].set_state(generator.get_state())
    return memo.get(id(generator))


def copy_sampler(sampler: Any, dataset: Any, memo: dict[int, Any]) -> Any:
    """Copy a sampler and its state, but not the data it refers to.

    Parameters
    ----------
    memo
        Original's ``id`` → copy, as for :func:`copy.deepcopy`.

    Raises
    ------
    BadRequest
        ``sampler_not_copied``: the sampler can't be copied.
    """
    from torch.nn import Module
    from torch.utils.data import Dataset

    memo[id(dataset)] = dataset
    for holder in with_nested_samplers(sampler):
        for name, value in getattr(holder, "__dict__", {}).items():
            if name in ("data_source", "dataset") or isinstance(value, (Dataset, Module)):
                memo[id(value)] = value
        copy_generator(getattr(holder, "generator", None), memo)
    try:
        return copy.deepcopy(sampler, memo)
    except (
        Exception
    ) as error:  # from the user's sampler: for example, files and locks can't be copied
        *_, own = with_nested_samplers(sampler)  # the innermost is the user's own
        raise BadRequest(
            "sampler_not_copied",
            "The {type} can't be copied ({error}), and the original must not advance.",
            "Create what can't be copied in the sampler's __iter__, not in __init__.",
            type=type(own).__name__,
            error=error,
        ) from error


def with_nested_samplers(sampler: Any) -> Iterator[Any]:
    """Yield a sampler and the samplers nested in it, as in one that splits another's batches into shards."""
    waiting, seen = [sampler], set()
    while waiting:
        holder = waiting.pop()
        if holder is None or id(holder) in seen:
            continue
        seen.add(id(holder))
        yield holder
        waiting += [getattr(holder, name, None) for name in ("sampler", "batch_sampler")]
