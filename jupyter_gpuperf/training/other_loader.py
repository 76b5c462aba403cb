"""A loader with other settings, of which none changes the batches that the model sees."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Final

from jupyter_gpuperf.errors import BadRequest

SETTINGS: Final = ("num_workers", "prefetch_factor", "pin_memory", "persistent_workers")
"""What may be changed: none of it changes which batches the model sees."""


def loader_with(torch: Any, loader: Any, settings: Mapping[str, Any]) -> Any:
    """Return a DataLoader that differs from ``loader`` in these settings alone."""
    unknown = [name for name in settings if name not in SETTINGS]
    if unknown or not settings:
        raise BadRequest(
            "unknown_setting",
            f"{unknown[0]!r} can't be tried." if unknown else "There is no setting to try.",
            f"Give some of {', '.join(SETTINGS)}.",
        )
    if type(loader) is not torch.utils.data.DataLoader:
        raise BadRequest(
            "not_a_plain_loader",
            f"A {type(loader).__name__} can't be built anew from its settings.",
            "Give a plain torch DataLoader.",
        )
    wanted = {name: getattr(loader, name) for name in SETTINGS} | dict(settings)
    if not wanted["num_workers"]:
        wanted |= {"prefetch_factor": None, "persistent_workers": False}
    if loader.batch_sampler is not None and loader.batch_size is None:
        batching = {"batch_sampler": loader.batch_sampler}
    else:
        batching = {"batch_size": loader.batch_size, "drop_last": loader.drop_last}
        # The sampler of an iterable data set is torch's own.
        if not isinstance(loader.dataset, torch.utils.data.IterableDataset):
            batching["sampler"] = loader.sampler
    with warnings.catch_warnings():
        # Of how many workers torch would suggest: what they give is measured, right after.
        warnings.filterwarnings("ignore", "This DataLoader will create", UserWarning)
        return torch.utils.data.DataLoader(
            loader.dataset,
            collate_fn=loader.collate_fn,
            timeout=loader.timeout if wanted["num_workers"] else 0,
            worker_init_fn=loader.worker_init_fn,
            multiprocessing_context=loader.multiprocessing_context
            if wanted["num_workers"]
            else None,
            generator=loader.generator,
            **batching,
            **wanted,
        )
