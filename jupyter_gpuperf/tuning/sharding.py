"""Does a stream give each worker its own part? torch copies it to every worker; dividing it is the stream's own work.

Standard library only at module level.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jupyter_gpuperf.loaders.randomness import Randomness
from jupyter_gpuperf.loaders.subject import Subject, default_start_method, noting_context
from jupyter_gpuperf.tuning.safety import close

ITEMS: Final = 3
SEED: Final = 20_260
MOST_VALUES: Final = 64


def is_repeated(subject: Subject, timeout_seconds: float) -> bool | None:
    """Tell whether two workers give the same items; ``None`` where it can't be told.

    Both draw the same random numbers, so that a stream that shuffles is recognised, too.
    """
    from torch.utils.data import DataLoader

    if default_start_method() != "fork":
        return None
    processes: list[Any] = []
    loader = DataLoader(
        subject.dataset,
        batch_size=None,
        collate_fn=print_of,
        num_workers=2,
        prefetch_factor=2,
        timeout=timeout_seconds,
        worker_init_fn=_Alike(subject.worker_init_function()),
        multiprocessing_context=noting_context("fork", processes),
    )
    batches = iter(loader)
    try:
        found = [print_ for _, print_ in zip(range(2 * ITEMS), batches, strict=False)]
    except Exception:  # the user's own code; the trials tell what it raises  # noqa: BLE001
        return None
    finally:
        close(batches, processes, at_once=True)
    # They come from the two workers in turn.
    return len(found) >= 2 and found[0::2][: len(found) // 2] == found[1::2]


class _Alike:
    """Gives all workers the same random numbers, then does what the user wants."""

    def __init__(self, own: Any) -> None:
        self._own = own

    def __call__(self, worker: int) -> None:
        import torch

        Randomness(torch).reseed(SEED)
        if self._own is not None:
            self._own(worker)


def print_of(item: Any) -> str:
    """Return a text that is the same for equal items: the first values of tensors, however nested."""
    if hasattr(item, "flatten") and hasattr(item, "shape"):
        return f"{tuple(item.shape)}{item.flatten()[:MOST_VALUES].tolist()}"
    if isinstance(item, Mapping):
        return str({str(name): print_of(each) for name, each in item.items()})
    if isinstance(item, (list, tuple)):
        return str([print_of(each) for each in item])
    return repr(item)[:1000]
