"""Make a batch of another size from finished batches, if they are plain collections of tensors with one row per sample.

Standard library only at module level.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.messages import Message


def sample_count(batch: Any) -> int:
    """Return the number of samples in a batch: the first dimension of all its tensors.

    Raises
    ------
    BadRequest
        ``batch_size_is_fixed``: the number of samples is not clear.
    """
    counts = {each.shape[0] for each in _tensors(batch) if each.dim()}
    if len(counts) != 1:
        reason = Message("its tensors do not share their first dimension")
        raise fixed_size_error(reason if counts else Message("a batch has no tensors"))
    return int(counts.pop())


def join(batches: Sequence[Any], size: int) -> Any:
    """Return a batch with the first ``size`` samples of these batches.

    Raises
    ------
    BadRequest
        ``batch_size_is_fixed``: tensors of different batches have different shapes.
    """
    try:
        return _joined(batches, [sample_count(each) for each in batches], size)
    except RuntimeError as error:
        raise fixed_size_error(Message("batches differ in shape")) from error


def fixed_size_error(reason: str) -> BadRequest:
    """Return the error for a loader whose batches can't be made larger or smaller."""
    return BadRequest(
        "batch_size_is_fixed",
        "Batches of other sizes can't be made from this loader: {reason}.",
        "Pass a torch DataLoader whose dataset returns single samples, or that dataset.",
        reason=reason,
    )


def _tensors(part: Any, depth: int = 0) -> Iterator[Any]:
    import torch

    if isinstance(part, torch.Tensor):
        yield part
    elif isinstance(part, Mapping):
        for each in part.values():
            yield from _tensors(each, depth + 1)
    elif isinstance(part, (list, tuple)):
        inner = [tensor for each in part for tensor in _tensors(each, depth + 1)]
        if depth and inner and not hasattr(part, "_fields"):
            # A list of images has one tensor per sample, whose first dimension counts something else.
            raise fixed_size_error(Message("a batch contains lists of tensors"))
        yield from inner
    elif hasattr(part, "to"):
        raise fixed_size_error(Message("a batch contains a {type}", type=type(part).__name__))


def _joined(parts: Sequence[Any], counts: Sequence[int], size: int) -> Any:
    import torch

    first = parts[0]
    if isinstance(first, torch.Tensor):
        return torch.cat(list(parts))[:size] if first.dim() else first
    if isinstance(first, Mapping):
        made: Any = copy.copy(first)
        for name in first:
            made[name] = _joined([each[name] for each in parts], counts, size)
        return made
    if not isinstance(first, (list, tuple)):
        return first
    if [len(each) for each in parts] == [*counts] and not any(map(torch.is_tensor, first)):
        return type(first)(each for part in parts for each in part)[:size]  # such as captions
    fields = [_joined(each, counts, size) for each in zip(*parts, strict=True)]
    return type(first)(*fields) if hasattr(first, "_fields") else type(first)(fields)
