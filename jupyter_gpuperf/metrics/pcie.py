"""The link between host and device.

``nvmlDeviceGetPcieThroughput`` is never called: it sleeps for 20 ms to measure. GPM gives the rates where
there is GPM; else the byte counters do, which have 32 bits and wrap every 4 GiB.
"""

from __future__ import annotations

from typing import Any, Final

from jupyter_gpuperf.metrics.declaration import Calls, Metric

MIB: Final = 1 << 20
GPM_TRANSMIT, GPM_RECEIVE = 20, 21
"""``NVML_GPM_METRIC_PCIE_TX_PER_SEC`` and ``…_RX_PER_SEC``, MiB/s."""

FIELD_TRANSMIT, FIELD_RECEIVE = 197, 198
"""``NVML_FI_DEV_PCIE_COUNT_TX_BYTES`` and ``…_RX_BYTES``."""


def _rate(nvml: Calls, gpm_id: int, field_id: int) -> Any:
    try:
        return nvml("gpm", gpm_id) * MIB
    except LookupError:  # no GPM on this device
        return nvml("pcie_counter_rate", field_id)


METRICS = (
    Metric(
        name="pcie_transmit_bytes_per_second",
        family="pcie",
        label="PCIe out",
        unit="bytes_per_second",
        covers_tick=True,
        help="Data sent by the device over PCIe: results copied to the host, and what others read.",
        read=lambda nvml: _rate(nvml, GPM_TRANSMIT, FIELD_TRANSMIT),
        recorded=lambda reading, _static: reading["gpm"]["PCIE_TX_PER_SEC"] * MIB,
    ),
    Metric(
        name="pcie_receive_bytes_per_second",
        family="pcie",
        label="PCIe in",
        unit="bytes_per_second",
        covers_tick=True,
        help="Data received by the device over PCIe: batches copied from the host, and commands.",
        read=lambda nvml: _rate(nvml, GPM_RECEIVE, FIELD_RECEIVE),
        recorded=lambda reading, _static: reading["gpm"]["PCIE_RX_PER_SEC"] * MIB,
    ),
    Metric(
        name="pcie_link_generation",
        family="pcie",
        label="PCIe generation",
        unit="generation",
        maximum_metric="pcie_link_max_generation",
        help="Generation that the link runs at now; an idle device lowers it to save power.",
        read=lambda nvml: nvml("nvmlDeviceGetCurrPcieLinkGeneration"),
        recorded=lambda reading, _static: reading["pcie_gen"],
    ),
    Metric(
        name="pcie_link_max_generation",
        family="pcie",
        label="PCIe generation, at most",
        unit="generation",
        kind="limit",
        help="Highest generation that device and slot have in common.",
        read=lambda nvml: nvml("nvmlDeviceGetMaxPcieLinkGeneration"),
        recorded=lambda _reading, static: static["pcie_gen_max"],
    ),
    Metric(
        name="pcie_link_lanes",
        family="pcie",
        label="PCIe lanes",
        unit="lanes",
        cadence="slow",
        maximum_metric="pcie_link_max_lanes",
        help="Lanes that the link uses. Fewer than at most: a wrong slot, a riser, or a bad contact.",
        read=lambda nvml: nvml("nvmlDeviceGetCurrPcieLinkWidth"),
        recorded=lambda reading, _static: reading.get("pcie_width"),
    ),
    Metric(
        name="pcie_link_max_lanes",
        family="pcie",
        label="PCIe lanes, at most",
        unit="lanes",
        kind="limit",
        help="Most lanes that device and slot have in common.",
        read=lambda nvml: nvml("nvmlDeviceGetMaxPcieLinkWidth"),
        recorded=lambda _reading, static: static["pcie_width_max"],
    ),
    Metric(
        name="pcie_replays_count",
        family="pcie",
        label="PCIe replays",
        unit="count",
        kind="counter",
        cadence="slow",
        help="Packets that had to be sent again. A number that grows means a bad link.",
        read=lambda nvml: nvml("nvmlDeviceGetPcieReplayCounter"),
        recorded=lambda reading, _static: reading["pcie_replay"],
    ),
)
