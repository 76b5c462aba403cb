"""The links between devices."""

from __future__ import annotations

from typing import Any, Final

from jupyter_gpuperf.metrics.declaration import Calls, Metric

MIB: Final = 1 << 20
GPM_RECEIVE, GPM_TRANSMIT = 60, 61
"""``NVML_GPM_METRIC_NVLINK_TOTAL_RX_PER_SEC`` and ``…_TX_PER_SEC``, MiB/s."""

FIELD_LINKS: Final = 91
"""``NVML_FI_DEV_NVLINK_LINK_COUNT``."""
FIELD_REPLAYS, FIELD_RECOVERIES, FIELD_CRC = 161, 162, 163
"""``NVML_FI_DEV_NVLINK_ERROR_DL_…``: sums over all links."""


def _rate(nvml: Calls, gpm_id: int) -> Any:
    # A device without links answers 0 as its rate: ask for the links first, which it refuses.
    return nvml("gpm", gpm_id) * MIB if nvml("field_value", FIELD_LINKS) else None


METRICS = (
    Metric(
        name="nvlink_transmit_bytes_per_second",
        family="nvlink",
        label="NVLink out",
        unit="bytes_per_second",
        covers_tick=True,
        help="Data sent to other devices over all NVLinks.",
        read=lambda nvml: _rate(nvml, GPM_TRANSMIT),
        # The recorder of the shipped traces did not ask whether there are links.
        recorded=lambda reading, _static: reading["gpm"]["NVLINK_TOTAL_TX_PER_SEC"] * MIB or None,
    ),
    Metric(
        name="nvlink_receive_bytes_per_second",
        family="nvlink",
        label="NVLink in",
        unit="bytes_per_second",
        covers_tick=True,
        help="Data received from other devices over all NVLinks.",
        read=lambda nvml: _rate(nvml, GPM_RECEIVE),
        recorded=lambda reading, _static: reading["gpm"]["NVLINK_TOTAL_RX_PER_SEC"] * MIB or None,
    ),
    Metric(
        name="nvlink_links_count",
        family="nvlink",
        label="NVLinks",
        unit="count",
        kind="limit",
        help="Links that the device has.",
        read=lambda nvml: nvml("field_value", FIELD_LINKS),
        recorded=lambda reading, _static: reading.get("nvlink_links"),
    ),
    Metric(
        name="nvlink_errors_count",
        family="nvlink",
        label="NVLink errors",
        unit="count",
        kind="counter",
        cadence="slow",
        help="Checksum errors, replays and recoveries on all links since the driver was loaded.",
        read=lambda nvml: sum(
            nvml("field_value", field_id)
            for field_id in (FIELD_CRC, FIELD_REPLAYS, FIELD_RECOVERIES)
        ),
        recorded=lambda reading, _static: reading.get("nvlink_errors"),
    ),
)
