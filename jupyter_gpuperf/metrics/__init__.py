"""What can be sampled. A new metric is one entry in its family's file.

Other packages add theirs through the entry point group ``jupyter_gpuperf.metrics``; each entry
point names a tuple of :class:`Metric`.
"""

from __future__ import annotations

import logging
from importlib.metadata import entry_points

from jupyter_gpuperf.metrics import (
    activity,
    clocks,
    health,
    host,
    memory,
    nvlink,
    pcie,
    power,
    temperature,
)
from jupyter_gpuperf.metrics.declaration import Calls, Metric, Recorded
from jupyter_gpuperf.schemas import Catalog

__all__ = ["METRICS", "Calls", "Metric", "Recorded", "all_metrics", "catalog_of"]

logger = logging.getLogger(__name__)

METRICS: tuple[Metric, ...] = (
    *activity.METRICS,
    *memory.METRICS,
    *power.METRICS,
    *temperature.METRICS,
    *clocks.METRICS,
    *pcie.METRICS,
    *nvlink.METRICS,
    *health.METRICS,
    *host.METRICS,
)
"""Every metric of this package, in the order in which people see them."""


def all_metrics() -> tuple[Metric, ...]:
    """Return this package's metrics and those of other packages.

    A package that can't be loaded, or that repeats a name, is logged and left out: monitoring
    goes on without it.
    """
    metrics = {metric.name: metric for metric in METRICS}
    for point in entry_points(group="jupyter_gpuperf.metrics"):
        try:
            additions: tuple[Metric, ...] = tuple(point.load())
        except Exception:
            logger.exception(
                "The metrics of %s could not be loaded; they are left out.", point.value
            )
            continue
        for metric in additions:
            if metrics.setdefault(metric.name, metric) is not metric:
                logger.error("%s repeats the metric %s; left out.", point.value, metric.name)
    return tuple(metrics.values())


def catalog_of(metrics: tuple[Metric, ...]) -> Catalog:
    """Return the catalogue of ``metrics``, as ``GET catalog`` answers it."""
    return Catalog(metrics=[metric.info() for metric in metrics])
