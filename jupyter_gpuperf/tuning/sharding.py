"""Check whether a stream gives each worker its own part. torch copies it to each worker; the stream must divide itself.

Standard library only at module level.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jupyter_gpuperf.loaders.randomness import Randomness
from jupyter_gpuperf.loaders.subject import BeginWorker, Subject, default_start_method
from jupyter_gpuperf.tuning.safety import from_workers

ITEMS: Final = 3
SEED: Final = 20_260
MOST_VALUES: Final = 64


def is_repeated(subject: Subject, timeout_seconds: float) -> bool | None:
    """Return whether two workers give the same items; ``None`` when that can't be determined.

    Both draw the same random numbers, so that streams that shuffle are recognized too.
    """
    if default_start_method() != "fork":
        return None
    begin = BeginWorker(_draw_alike, subject.worker_init_function())
    loads = {"collate_fn": print_of, "worker_init_fn": begin, "timeout": timeout_seconds}
    try:
        with from_workers(subject.dataset, 2, "fork", **loads) as (items, _):
            found = [print_ for _, print_ in zip(range(2 * ITEMS), items, strict=False)]
    except Exception:  # the user's own code; the trials report what it raises  # noqa: BLE001
        return None
    if len(set(found)) == 1:  # equal items prove nothing: shards may have the same labels
        return None
    # The items come from the two workers alternately.
    return len(found) >= 2 and found[0::2][: len(found) // 2] == found[1::2]


def _draw_alike() -> None:
    import torch

    Randomness(torch).reseed(SEED)


def print_of(item: Any) -> str:
    """Return a text that is the same for equal items: the first values of tensors, however nested."""
    if hasattr(item, "flatten") and hasattr(item, "shape"):
        return f"{tuple(item.shape)}{item.flatten()[:MOST_VALUES].tolist()}"
    if isinstance(item, Mapping):
        return str({str(name): print_of(each) for name, each in item.items()})
    if isinstance(item, (list, tuple)):
        return str([print_of(each) for each in item])
    return repr(item)[:1000]
