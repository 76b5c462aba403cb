"""The metrics that can be sampled. To add one, add it to ``METRICS`` in the file of its family.

Other packages add metrics through the entry point group ``jupyter_gpuperf.metrics``. Each entry
point names a tuple of :class:`Metric`.
"""

from __future__ import annotations

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
from jupyter_gpuperf.metrics.declaration import Calls, Metric
from jupyter_gpuperf.plugins import with_additions
from jupyter_gpuperf.schemas import Catalog

__all__ = ["METRICS", "Calls", "Metric", "all_metrics", "catalog_of"]

FAMILIES = (activity, memory, power, temperature, clocks, pcie, nvlink, health, host)

METRICS: tuple[Metric, ...] = tuple(each for family in FAMILIES for each in family.METRICS)
"""All metrics of this package, in display order."""


def all_metrics() -> tuple[Metric, ...]:
    """Return the metrics of this package and of other packages.

    Packages that can't be loaded, and metrics whose name is already taken, are logged and left out.
    """
    return with_additions(METRICS, "metrics", Metric, lambda metric: metric.name)


def catalog_of(metrics: tuple[Metric, ...]) -> Catalog:
    """Return the catalogue of ``metrics``: the answer of ``GET catalog``."""
    return Catalog(metrics=[metric.info() for metric in metrics])
