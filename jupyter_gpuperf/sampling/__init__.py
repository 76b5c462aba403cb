"""Reading the devices once per tick, keeping the recent past, and serving listeners."""

from jupyter_gpuperf.sampling.history import HistoryStore
from jupyter_gpuperf.sampling.sampler import Sampler
from jupyter_gpuperf.sampling.subscribers import Subscribers, Subscription

__all__ = [
    "HistoryStore",
    "Sampler",
    "Subscribers",
    "Subscription",
]
