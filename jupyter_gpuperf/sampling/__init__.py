"""Read the devices once per tick, keep a history, and send the readings to listeners."""

from jupyter_gpuperf.sampling.history import HistoryStore
from jupyter_gpuperf.sampling.sampler import Sampler
from jupyter_gpuperf.sampling.subscribers import Subscribers, Subscription

__all__ = ["HistoryStore", "Sampler", "Subscribers", "Subscription"]
