"""Count the samples in a batch, for loaders whose batch size is unknown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

DEEPEST_NESTING: Final = 4


def size_of(batch: object, depth: int = 0) -> int | None:
    """Return the number of samples in a batch: the first dimension of its first array; ``None`` if unknown.

    Parameters
    ----------
    depth
        How many containers the batch is nested in; the search ends at ``DEEPEST_NESTING``.
    """
    shape = getattr(batch, "shape", None)
    if shape is not None:
        return int(shape[0]) if len(shape) else None
    if depth == DEEPEST_NESTING:
        return None
    parts: object = batch
    if isinstance(batch, Mapping):
        parts = list(batch.values())
    if isinstance(parts, (list, tuple)) and parts:
        inner = size_of(parts[0], depth + 1)
        # A list of items without a shape, such as texts, has one sample per item.
        return len(parts) if inner is None and parts is batch else inner
    return None
