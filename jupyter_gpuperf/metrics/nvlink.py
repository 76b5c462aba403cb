"""Metrics of NVLink, the links between devices."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from jupyter_gpuperf.metrics.declaration import Calls, Metric

_metric = partial(Metric, family="nvlink")

MIB: Final = 1 << 20
GPM_RECEIVE, GPM_TRANSMIT = 60, 61
"""GPM metric ids ``NVML_GPM_METRIC_NVLINK_TOTAL_RX_PER_SEC`` and ``…_TX_PER_SEC``; their values are in MiB/s."""

FIELD_LINKS: Final = 91
"""Field id ``NVML_FI_DEV_NVLINK_LINK_COUNT``."""
FIELD_ERRORS: Final = (163, 161, 162)
"""Field ids ``NVML_FI_DEV_NVLINK_ERROR_DL_CRC``, ``…_REPLAY`` and ``…_RECOVERY``; their values are sums over all
links."""


def _rate(nvml: Calls, gpm_id: int) -> Any:
    # A device without links reports a rate of 0. Read the link count first: for such a device, that raises an error.
    return nvml("gpm", gpm_id) * MIB if nvml("field_value", FIELD_LINKS) else None


METRICS = (
    _metric(
        "nvlink_transmit_bytes_per_second",
        "NVLink out",
        "Data sent to other devices over all NVLinks.",
        lambda nvml: _rate(nvml, GPM_TRANSMIT),
        covers_tick=True,
    ),
    _metric(
        "nvlink_receive_bytes_per_second",
        "NVLink in",
        "Data received from other devices over all NVLinks.",
        lambda nvml: _rate(nvml, GPM_RECEIVE),
        covers_tick=True,
    ),
    _metric(
        "nvlink_links_count",
        "NVLinks",
        "Number of NVLinks.",
        lambda nvml: nvml("field_value", FIELD_LINKS),
        kind="limit",
    ),
    _metric(
        "nvlink_errors_count",
        "NVLink errors",
        "Checksum errors, replays and recoveries on all links since the driver was loaded.",
        lambda nvml: sum(nvml("field_value", each) for each in FIELD_ERRORS),
        kind="counter",
        cadence="slow",
    ),
)
