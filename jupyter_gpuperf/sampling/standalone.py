"""A sampler in the calling process, for commands that run without a server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from jupyter_gpuperf.metrics import all_metrics
from jupyter_gpuperf.sampling.sampler import Observer, Sampler
from jupyter_gpuperf.sampling.subscribers import Subscribers
from jupyter_gpuperf.sources import source_from

IDLE_INTERVAL_MS: Final = 1000


def standalone_sampler(
    source: str, observers: Mapping[str, Observer] | None = None
) -> tuple[Sampler, Subscribers]:
    """Return a sampler without history that is not yet started, and its listeners.

    Parameters
    ----------
    source
        As ``c.GpuPerf.source``.
    observers
        As for :class:`Sampler`.

    Raises
    ------
    BadRequest
        ``unknown_source``: the source does not exist.
    """
    subscribers = Subscribers()
    sampler = Sampler(
        source_from(source, all_metrics()),
        history=None,
        subscribers=subscribers,
        idle_interval_ms=IDLE_INTERVAL_MS,
        observers=observers or {},
    )
    return sampler, subscribers
