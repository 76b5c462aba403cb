"""Build an endless copy of the user's loader for measuring. The user's iterator, sampler and generators are untouched.

The copy is always a plain DataLoader. If the user's loader is of another class, what that class does to the batches
that torch returns is not measured. Standard library only at module level.
"""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.loaders.comparison import length_of
from jupyter_gpuperf.loaders.rebuilding import KEPT_ARGUMENTS
from jupyter_gpuperf.loaders.samplers import RestartingSampler, copy_generator, copy_sampler
from jupyter_gpuperf.loaders.setting import accepted_arguments
from jupyter_gpuperf.messages import Message

if TYPE_CHECKING:
    from torch.utils.data import DataLoader


def loader_and_data(given: Any) -> tuple[Any, Any]:
    """Return the given DataLoader, or the one in a wrapper, and its dataset; ``None`` and the dataset for a dataset.

    Raises
    ------
    BadRequest
        ``not_a_loader``.
    """
    from torch.nn import Module
    from torch.utils.data import Dataset, IterableDataset

    is_stream = isinstance(given, IterableDataset)
    within = [] if isinstance(given, Dataset) and not is_stream else _loaders_in(given)
    if (
        len(within) == 1
    ):  # `given` itself, or the loader inside a wrapper such as Fabric's or WebLoader
        return within[0], within[0].dataset
    # Check the class: loaders of other libraries forward unknown attributes to their dataset.
    has_items = hasattr(type(given), "__getitem__") or hasattr(type(given), "__getitems__")
    has_items &= hasattr(type(given), "__len__") and not isinstance(given, (str, bytes, Module))
    has_items &= not isinstance(given, Mapping) or 0 in given  # as a dictionary of datasets
    if not within and (is_stream or has_items):
        return None, given
    raise BadRequest(
        "not_a_loader",
        "A {type} is neither a torch DataLoader nor a dataset.",
        "Pass a DataLoader, or a dataset with __getitem__ and __len__.",
        type=type(given).__name__,
    )


def _loaders_in(given: object) -> list[Any]:
    """Return the DataLoaders that an object is or holds, each once."""
    from torch.utils.data import DataLoader

    if isinstance(given, DataLoader) and hasattr(given, "dataset"):  # not a wrapper of this class
        return [given]
    held = [*getattr(given, "__dict__", {}).values()]
    for one in (given, *held):
        if isinstance(one, (list, tuple, Mapping)):
            held += list(one.values() if isinstance(one, Mapping) else one)[:8]
    return list({id(each): each for each in held if isinstance(each, DataLoader)}.values())


def loader_settings(subject: object, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of the loader (defaults for a dataset), overridden by the given ones.

    Parameters
    ----------
    subject
        A torch DataLoader, an object that wraps one, or a dataset.
    given
        Any of ``batch_size``, ``workers``, ``prefetch_factor``, ``pin_memory``.

    Raises
    ------
    BadRequest
        ``not_a_loader``.
    """
    own, _ = loader_and_data(subject)
    usual = (64, 4, 2, False)
    if own is not None:
        prefetch = own.prefetch_factor or 2
        usual = (batch_size_of(own), own.num_workers, prefetch, own.pin_memory)
    names = ("batch_size", "workers", "prefetch_factor", "pin_memory")
    return {name: given.get(name, each) for name, each in zip(names, usual, strict=True)}


def batch_size_of(loader: Any) -> int:
    """Return the batch size; 0 when the loader does not batch, or its batch sampler has no such number."""
    with contextlib.suppress(Exception):  # the batch sampler's own: a list of sizes, a property
        return operator.index(loader.batch_size or loader.batch_sampler.batch_size)
    return 0


def loader_like(
    subject: object, settings: Mapping[str, Any], hang_seconds: float
) -> DataLoader[Any]:
    """Return a new loader over the same data; endless when the dataset has a length.

    Parameters
    ----------
    settings
        As returned by :func:`loader_settings`.
    hang_seconds
        A batch that takes workers longer than this is an error, unless the user's loader sets a timeout.

    Raises
    ------
    BadRequest
        ``batch_size_is_fixed``: see :func:`rebatched`. ``sampler_not_copied``: see :func:`copy_sampler`.
    """
    from torch.utils.data import DataLoader

    arguments = endless_arguments(*loader_and_data(subject), settings["batch_size"])
    arguments |= {
        "num_workers": settings["workers"],
        "prefetch_factor": settings["prefetch_factor"],
        "pin_memory": settings["pin_memory"],
        "timeout": arguments.get("timeout") or hang_seconds,
    }
    return DataLoader(**accepted_arguments(arguments))


def endless_arguments(own: Any, dataset: Any, batch_size: int) -> dict[str, Any]:
    """Return the arguments of an endless copy of ``own``; if ``own`` is ``None``, of a loader that shuffles.

    Raises
    ------
    BadRequest
        ``batch_size_is_fixed``, ``sampler_not_copied``.
    """
    from torch.utils.data import BatchSampler, IterableDataset, RandomSampler

    batches = None if own is None else rebatched(own, batch_size)
    arguments: dict[str, Any] = {
        name: value
        for name in KEPT_ARGUMENTS
        if (value := getattr(own, name, None)) not in (None, "")
    }
    memo: dict[int, Any] = {}
    generator = copy_generator(getattr(own, "generator", None), memo)
    arguments |= {"dataset": dataset, "generator": generator}
    if isinstance(dataset, IterableDataset):
        drops = bool(batch_size) and getattr(own, "drop_last", False)
        return arguments | {"batch_size": batch_size or None, "drop_last": drops}
    if own is None:
        count = length_of(dataset) or 0
        batches = BatchSampler(
            RandomSampler(dataset) if count else [], batch_size, drop_last=count >= batch_size
        )
    elif own.batch_sampler is None:  # no automatic batching: the dataset makes the batches
        sampler = RestartingSampler(copy_sampler(own.sampler, dataset, memo))
        return arguments | {"sampler": sampler, "batch_size": None}
    else:
        batches = copy_sampler(batches, dataset, memo)
    return arguments | {"batch_sampler": RestartingSampler(batches)}


def rebatched(loader: Any, batch_size: int) -> Any:
    """Return a loader's batch sampler; for another batch size, a new one over the same sampler.

    Raises
    ------
    BadRequest
        ``batch_size_is_fixed``: the loader's own batch sampler or its dataset determines the batch size.
    """
    from torch.utils.data import BatchSampler

    own = loader.batch_sampler
    if batch_size == batch_size_of(loader):
        return own
    if type(own) is not BatchSampler:
        raise BadRequest(
            "batch_size_is_fixed",
            "This loader's {owner} sets the batch size.",
            "Omit --batch-size, or create a loader with the other size.",
            owner=Message("dataset") if own is None else type(own).__name__,
        )
    return BatchSampler(own.sampler, batch_size, own.drop_last)
