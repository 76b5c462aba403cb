"""Count the samples in a batch, where its loader does not give the number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

DEEPEST: Final = 4


def size_of(batch: object, depth: int = 0) -> int | None:
    """Return the first dimension of the first array in the batch; ``None`` where there is none."""
    shape = getattr(batch, "shape", None)
    if shape is not None:
        return int(shape[0]) if len(shape) else None
    if depth == DEEPEST:
        return None
    parts: object = batch
    if isinstance(batch, Mapping):
        parts = list(batch.values())
    if isinstance(parts, (list, tuple)) and parts:
        inner = size_of(parts[0], depth + 1)
        # A list of items without a shape, such as texts, is a batch of them.
        return len(parts) if inner is None and parts is batch else inner
    return None
