"""Batches as objects: map their tensors, whatever contains them. Standard library only."""

from __future__ import annotations

import copy
from collections.abc import Callable, MutableMapping
from typing import Any


def map_tensors(function: Callable[[Any], Any], batch: Any) -> Any:
    """Return a batch with ``function`` applied to its tensors, and to objects that have a method ``to``.

    Containers are new objects of their own type: transformers' BatchEncoding, a ``defaultdict``, a named tuple.
    """
    if hasattr(batch, "to"):
        return function(batch)
    if isinstance(batch, MutableMapping):
        mapped = copy.copy(batch)
        for name, each in batch.items():
            mapped[name] = map_tensors(function, each)
        return mapped
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(map_tensors(function, each) for each in batch))
    if isinstance(batch, (list, tuple)):
        return type(batch)(map_tensors(function, each) for each in batch)
    return batch


def with_new_containers(batch: Any) -> Any:
    """Return the batch in new containers, so that a step may remove or replace entries: ``batch.pop("labels")``."""
    return map_tensors(lambda each: each if hasattr(each, "data_ptr") else copy.copy(each), batch)
