"""A loader like the user's own, made anew from what that one was made of: the user's iterator is never touched.

Standard library only at module level.
"""

from __future__ import annotations

import contextlib
import copy
import random
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from jupyter_gpuperf.errors import BadRequest

if TYPE_CHECKING:
    from torch.utils.data import DataLoader

KEPT = (
    "collate_fn",
    "timeout",
    "worker_init_fn",
    "multiprocessing_context",
    "pin_memory_device",
    "in_order",
)
"""What a new loader takes from the old one as it is; those that this torch has."""


class Again:
    """A sampler without an end: begins anew when the inner one ends, so that no restart falls into what is timed."""

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


def settings_of(subject: object, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that a loader like ``subject`` has, with what was given in their place.

    Parameters
    ----------
    subject
        A torch DataLoader or a data set.
    given
        ``batch_size``, ``workers``, ``prefetch_factor``, ``pin_memory``: those that were asked for.

    Raises
    ------
    BadRequest
        ``not_a_loader``.
    """
    from torch.utils.data import DataLoader

    wanted = {
        name: given[name]
        for name in ("batch_size", "workers", "prefetch_factor", "pin_memory")
        if name in given
    }
    if isinstance(subject, DataLoader):
        own = {
            "batch_size": _batch_size(subject),
            "workers": subject.num_workers,
            "prefetch_factor": subject.prefetch_factor or 2,
            "pin_memory": subject.pin_memory,
        }
        return {**own, **wanted}
    if hasattr(subject, "__getitem__") or hasattr(subject, "__iter__"):
        return {
            "batch_size": 64,
            "workers": 4,
            "prefetch_factor": 2,
            "pin_memory": False,
            **wanted,
        }
    raise BadRequest(
        "not_a_loader",
        f"A {type(subject).__name__} is neither a torch DataLoader nor a data set.",
        "Name a DataLoader of this notebook, or a data set with __getitem__ and __len__.",
    )


def loader_like(
    subject: object, settings: Mapping[str, Any], hang_seconds: float
) -> DataLoader[Any]:
    """Return a new loader over the same data, endless where the data set has a length.

    Parameters
    ----------
    settings
        As :func:`settings_of` returns them.
    hang_seconds
        A batch that takes workers longer than this is an error, unless the user's loader says otherwise.

    Raises
    ------
    BadRequest
        ``batch_size_is_fixed``: the loader's own batch sampler decides it.
    """
    from torch.utils.data import DataLoader, IterableDataset

    old: Any = subject if isinstance(subject, DataLoader) else None
    dataset = subject if old is None else old.dataset
    workers = settings["workers"]
    options: dict[str, Any] = {
        name: value for name in KEPT if (value := getattr(old, name, None)) not in (None, "")
    }
    if not workers:  # torch refuses what only workers have
        options.pop("multiprocessing_context", None)
    clones = _Generators()
    options["timeout"] = (options.get("timeout") or hang_seconds) if workers else 0
    if not isinstance(dataset, IterableDataset):
        options |= _sampling(old, dataset, settings, clones)
    else:
        options["batch_size"] = settings["batch_size"] or None
        options["drop_last"] = bool(settings["batch_size"]) and getattr(old, "drop_last", False)
    return DataLoader(
        dataset,
        num_workers=workers,
        prefetch_factor=settings["prefetch_factor"] if workers else None,
        pin_memory=settings["pin_memory"],
        generator=clones.of(getattr(old, "generator", None)),
        **options,
    )


@contextlib.contextmanager
def random_state_kept() -> Iterator[None]:
    """Put the random states of torch, NumPy and Python back: samplers and transforms draw from them."""
    import torch

    python, drawn = random.getstate(), torch.get_rng_state()
    numpy: Any = sys.modules.get("numpy")
    numpy_state = numpy.random.get_state() if numpy is not None else None
    try:
        yield
    finally:
        random.setstate(python)
        torch.set_rng_state(drawn)
        if numpy_state is not None:
            numpy.random.set_state(numpy_state)


def _batch_size(loader: DataLoader[Any]) -> int:
    """Return the batch size; 0 where the loader does not batch, or its batch sampler does not tell."""
    if loader.batch_size is not None:
        return int(loader.batch_size)
    return int(getattr(loader.batch_sampler, "batch_size", None) or 0)


class _Generators:
    """Copies of random generators; a loader and its sampler that share one share its copy."""

    def __init__(self) -> None:
        self._copies: dict[int, Any] = {}

    def of(self, generator: Any) -> Any:
        """Return a generator in the same state, which the user's does not notice."""
        import torch

        if generator is None:
            return None
        if id(generator) not in self._copies:
            own = torch.Generator(device=generator.device)
            own.set_state(generator.get_state())
            self._copies[id(generator)] = own
        return self._copies[id(generator)]


def _sampling(
    old: Any,
    dataset: Any,
    settings: Mapping[str, Any],
    clones: _Generators,
) -> dict[str, Any]:
    from torch.utils.data import BatchSampler, RandomSampler

    if old is None:
        inner: Any = BatchSampler(RandomSampler(dataset), settings["batch_size"], drop_last=True)
        return {"batch_sampler": Again(inner)}
    if old.batch_sampler is None:  # without automatic batching: the data set makes the batches
        return {"sampler": Again(_copied(old.sampler, dataset, clones)), "batch_size": None}
    if settings["batch_size"] == _batch_size(old):
        return {"batch_sampler": Again(_copied(old.batch_sampler, dataset, clones))}
    if type(old.batch_sampler) is not BatchSampler:
        raise BadRequest(
            "batch_size_is_fixed",
            f"This loader's {type(old.batch_sampler).__name__} decides the size of its batches.",
            "Leave --batch-size out, or make a loader with the other size.",
        )
    sampler = _copied(old.batch_sampler.sampler, dataset, clones)
    batches = BatchSampler(sampler, settings["batch_size"], drop_last=old.drop_last)
    return {"batch_sampler": Again(batches)}


def _copied(sampler: Any, dataset: Any, clones: _Generators) -> Any:
    """Copy a sampler and its state, but not the data that it knows of."""
    memo: dict[int, Any] = {id(dataset): dataset}
    for holder in _nested(sampler):
        for name in ("data_source", "dataset"):
            if (data := getattr(holder, name, None)) is not None:
                memo[id(data)] = data
        if (generator := getattr(holder, "generator", None)) is not None:
            memo[id(generator)] = clones.of(generator)
    return copy.deepcopy(sampler, memo)


def _nested(sampler: Any) -> Iterator[Any]:
    """Return a sampler and those within it: some cut another one's batches into shards."""
    waiting, seen = [sampler], set()
    while waiting:
        holder = waiting.pop()
        if holder is None or id(holder) in seen:
            continue
        seen.add(id(holder))
        yield holder
        waiting += [getattr(holder, name, None) for name in ("sampler", "batch_sampler")]
