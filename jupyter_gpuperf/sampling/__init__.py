"""Reading the devices once per tick, keeping the recent past, and serving listeners."""

from jupyter_gpuperf.sampling.history import HistoryStore
from jupyter_gpuperf.sampling.sampler import Sampler
from jupyter_gpuperf.sampling.subscribers import (
    LONGEST_INTERVAL_MS,
    SHORTEST_INTERVAL_MS,
    Subscribers,
    Subscription,
)

__all__ = [
    "LONGEST_INTERVAL_MS",
    "SHORTEST_INTERVAL_MS",
    "HistoryStore",
    "Sampler",
    "Subscribers",
    "Subscription",
]
