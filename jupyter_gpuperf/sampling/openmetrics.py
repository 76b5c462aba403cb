"""The latest frame as metric families for Prometheus.

Names and units follow OpenMetrics: prefix ``gpuperf_``, base units, the unit as suffix. A missing reading has no
sample, so that it is never taken for zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from jupyter_gpuperf.schemas import (
    Catalog,
    DeviceInfo,
    Devices,
    DeviceState,
    Frame,
    MetricInfo,
    Processes,
    Reading,
    Version,
)
from jupyter_gpuperf.schemas.training import LoopSteps

PREFIX: Final = "gpuperf_"

BASE_UNITS: Final[Mapping[str, tuple[str, float]]] = {
    "percent": ("ratio", 1 / 100),
    "mhz": ("hertz", 1e6),
    # A count has no unit, and OpenMetrics reserves the suffix _count.
    "count": ("", 1.0),
    "count_per_second": ("per_second", 1.0),
    "flags": ("", 1.0),
}
"""Unit of the catalogue → exported unit and the factor to it. Other units stay unchanged."""

DEVICE_LABELS: Final = ("gpu", "UUID", "pci_bus_id", "modelName", "hostname")
"""The labels of dcgm-exporter, so that queries can join both exporters' metrics."""

INFO_TEXTS: Final = ("driver_version", "compute_capability", "parent_uuid")
INFO_FLAGS: Final = ("unified_memory", "replayed")

HOST_LABELS: Final = ("hostname",)

STATES: Final[tuple[DeviceState, ...]] = ("ok", "not_answering", "device_lost")

LOOP_FIGURES: Final = (
    ("step_seconds", "seconds", "Mean duration of a training loop's step."),
    ("samples_per_second", "per_second", "Samples a second."),
    ("tokens_per_second", "per_second", "Tokens a second."),
    ("flops_utilization_ratio", "ratio", "Model FLOPs over the device's dense peak."),
)
"""Figures of loops that are exported, their units, and what they are."""

ReadingFamily: TypeAlias = GaugeMetricFamily | CounterMetricFamily


@dataclass(frozen=True, kw_only=True)
class FrameCollector(Collector):
    """Builds the metric families of one scrape from readings that were taken before it.

    Parameters
    ----------
    processes
        The processes on the devices; ``None`` to leave them out.
    loops
        The training loops of watched notebooks.
    """

    catalog: Catalog
    hostname: str
    version: Version
    devices: Devices
    frame: Frame
    processes: Processes | None
    loops: Sequence[LoopSteps] = ()

    def collect(self) -> Iterable[Family]:
        """Yield every family that has a sample."""
        build = {"version": self.version.version, "source": self.version.source}
        yield InfoMetricFamily(
            f"{PREFIX}build",
            "The version of jupyter_gpuperf, and the source of its readings.",
            {**build, "hostname": self.hostname},
        )
        devices = {device.uuid: device for device in self.devices.devices}
        if devices:
            yield self._device_info(devices.values())
            yield self._device_states(devices.values())
        sources = {
            "device": [
                (self._device_labels(devices[uuid]), readings)
                for uuid, readings in self.frame.devices.items()
                if uuid in devices
            ],
            "host": [([self.hostname], self.frame.host)],
        }
        metrics: dict[str, MetricInfo] = {}
        for metric in self.catalog.metrics:
            # Another package's x_percent and an x_ratio would share one name here, which is not allowed.
            metrics.setdefault(exported_name(metric)[0], metric)
        families = [_family(metric, sources[metric.scope]) for metric in metrics.values()]
        if self.processes is not None:
            families.append(self._kernel_memory(devices, self.processes))
        families += [self._loop_family(devices, *each) for each in LOOP_FIGURES]
        yield from (family for family in families if family.samples)

    def _device_labels(self, device: DeviceInfo) -> list[str]:
        bus_id, host = device.pci_bus_id or "", device.host or self.hostname
        return [str(device.index), device.uuid, bus_id, device.name, host]

    def _device_info(self, devices: Iterable[DeviceInfo]) -> Family:
        family = InfoMetricFamily(f"{PREFIX}device", "Facts about a device.", labels=DEVICE_LABELS)
        for device in devices:
            # To Prometheus, an empty value is the same as a missing label.
            values = {name: str(getattr(device, name) or "") for name in INFO_TEXTS}
            values |= {name: str(getattr(device, name)).lower() for name in INFO_FLAGS}
            family.add_metric(self._device_labels(device), values)
        return family

    def _device_states(self, devices: Iterable[DeviceInfo]) -> Family:
        family = GaugeMetricFamily(
            f"{PREFIX}device_state",
            "1 for the current state of a device, 0 for all others.",
            labels=[*DEVICE_LABELS, "state"],
        )
        for device in devices:
            for state in STATES:
                family.add_metric([*self._device_labels(device), state], device.state == state)
        return family

    def _loop_family(
        self, devices: Mapping[str, DeviceInfo], figure: str, unit: str, text: str
    ) -> GaugeMetricFamily:
        name = f"{PREFIX}loop_{figure.removesuffix(f'_{unit}')}"
        labels = [*DEVICE_LABELS, "kernel_id", "loop", "loop_id", "rank"]
        family = GaugeMetricFamily(name, text, labels=labels, unit=unit)
        for loop in self.loops:
            device, value = devices.get(loop.device_uuid or ""), getattr(loop, figure)
            if device is not None and value is not None:
                rank = "" if loop.rank is None else str(loop.rank)
                own = [loop.notebook_key, loop.loader, str(loop.loader_id), rank]
                family.add_metric([*self._device_labels(device), *own], value)
        return family

    def _kernel_memory(
        self, devices: Mapping[str, DeviceInfo], processes: Processes
    ) -> GaugeMetricFamily:
        family = GaugeMetricFamily(
            f"{PREFIX}kernel_memory_used",
            "GPU memory held by the processes of a notebook's kernel.",
            labels=[*DEVICE_LABELS, "kernel_id"],
            unit="bytes",
        )
        for uuid, found in processes.devices.items():
            if uuid not in devices:
                continue
            held: dict[str, list[Reading]] = {}
            for process in found.processes:
                if process.kernel is not None:
                    held.setdefault(process.kernel.kernel_id, []).append(process.memory_used_bytes)
            for kernel_id, readings in held.items():
                known = [reading for reading in readings if not isinstance(reading, str)]
                # A sum without one of the processes would be taken for the total.
                if len(known) == len(readings):
                    family.add_metric([*self._device_labels(devices[uuid]), kernel_id], sum(known))
        return family


def exported_name(metric: MetricInfo) -> tuple[str, str, float]:
    """Return a metric's name for Prometheus without ``_total``, its unit, and the factor to it."""
    unit, factor = BASE_UNITS.get(metric.unit, (metric.unit, 1.0))
    bare = metric.name.removesuffix(f"_{metric.unit}")
    return PREFIX + "_".join(part for part in (bare, unit) if part), unit, factor


def _family(
    metric: MetricInfo, sources: Sequence[tuple[Sequence[str], Mapping[str, Reading]]]
) -> ReadingFamily:
    name, unit, factor = exported_name(metric)
    labels = DEVICE_LABELS if metric.scope == "device" else HOST_LABELS
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    reasons = metric.flags if metric.kind == "flags" else {}
    family = kind(name, metric.help, labels=[*labels, *(["reason"] if reasons else [])], unit=unit)
    for values, readings in sources:
        reading = readings.get(metric.name, "not_supported")
        if isinstance(reading, str):
            continue
        for bit, meaning in reasons.items():
            family.add_metric([*values, meaning], bool(int(reading) & int(bit)))
        if not reasons:
            family.add_metric(values, reading * factor)
    return family
