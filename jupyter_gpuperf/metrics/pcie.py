"""Metrics of the PCIe link between host and device.

``nvmlDeviceGetPcieThroughput`` is never called, because it sleeps for 20 ms to measure. The rates come from GPM if the
device supports it, otherwise from the byte counters, which have 32 bits and wrap around every 4 GiB.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from jupyter_gpuperf.metrics.declaration import Calls, Metric

_metric = partial(Metric, family="pcie")
_limit = partial(_metric, kind="limit")

MIB: Final = 1 << 20
GPM_TRANSMIT, GPM_RECEIVE = 20, 21
"""GPM metric ids ``NVML_GPM_METRIC_PCIE_TX_PER_SEC`` and ``…_RX_PER_SEC``; their values are in MiB/s."""

FIELD_TRANSMIT, FIELD_RECEIVE = 197, 198
"""Field ids ``NVML_FI_DEV_PCIE_COUNT_TX_BYTES`` and ``…_RX_BYTES``."""


def _rate(nvml: Calls, gpm_id: int, field_id: int) -> Any:
    try:
        return nvml("gpm", gpm_id) * MIB
    except LookupError:  # the device does not support GPM
        return nvml("pcie_counter_rate", field_id)


METRICS = (
    _metric(
        "pcie_transmit_bytes_per_second",
        "PCIe out",
        "Data sent by the GPU: results copied to the host, and reads by other devices.",
        lambda nvml: _rate(nvml, GPM_TRANSMIT, FIELD_TRANSMIT),
        covers_tick=True,
    ),
    _metric(
        "pcie_receive_bytes_per_second",
        "PCIe in",
        "Data received by the GPU: batches copied from the host, and commands.",
        lambda nvml: _rate(nvml, GPM_RECEIVE, FIELD_RECEIVE),
        covers_tick=True,
    ),
    _metric(
        "pcie_link_generation",
        "PCIe generation",
        "Current generation of the link; an idle GPU lowers it to save power.",
        lambda nvml: nvml("nvmlDeviceGetCurrPcieLinkGeneration"),
        maximum_metric="pcie_link_max_generation",
    ),
    _limit(
        "pcie_link_max_generation",
        "PCIe generation, maximum",
        "Highest generation that both GPU and slot support.",
        lambda nvml: nvml("nvmlDeviceGetMaxPcieLinkGeneration"),
    ),
    _metric(
        "pcie_link_lanes",
        "PCIe lanes",
        "Lanes in use. Below the maximum: a wrong slot, a riser, or a bad contact.",
        lambda nvml: nvml("nvmlDeviceGetCurrPcieLinkWidth"),
        cadence="slow",
        maximum_metric="pcie_link_max_lanes",
    ),
    _limit(
        "pcie_link_max_lanes",
        "PCIe lanes, maximum",
        "Maximum number of lanes that both GPU and slot support.",
        lambda nvml: nvml("nvmlDeviceGetMaxPcieLinkWidth"),
    ),
    _metric(
        "pcie_replays_count",
        "PCIe replays",
        "Retransmitted packets. A growing number indicates a bad link.",
        lambda nvml: nvml("nvmlDeviceGetPcieReplayCounter"),
        kind="counter",
        cadence="slow",
    ),
)
