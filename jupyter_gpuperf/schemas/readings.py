"""Devices, metrics and their readings."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import UNSET, Struct

from jupyter_gpuperf.schemas.errors import ErrorInfo
from jupyter_gpuperf.schemas.messages import MessageOrUnset, WithMessages

MissingReason = Literal[
    "not_supported",  # the device or driver has no such reading
    "no_permission",  # the reading exists, but not for this user
    "device_lost",  # the device fell off the bus, or the driver was unloaded
    "not_answering",  # the driver call did not return in time
    "not_recorded",  # the replayed recording contains no such reading
    "not_yet",  # a rate needs two samples, and only one has been taken so far
    "implausible",  # the driver returned an impossible value
    "driver_error",  # the driver returned another error; see the log
]
"""Why a reading has no value. A missing value does not count as zero."""

Reading = float | MissingReason
"""A value, or the reason why there is no value."""

Readings = dict[str, Reading]
"""Metric name → value, or the reason why there is no value."""


class MetricInfo(Struct, frozen=True, kw_only=True):
    """One metric of the catalogue.

    ``maximum`` is the upper end of the scale if it is constant. If it depends on the device, ``maximum_metric`` is the
    name of the metric that contains it (memory used → memory total).
    """

    name: str
    label: str
    family: str
    """Group in which pages show the metric: ``activity``, ``memory``, ``power``, ``temperature``,
    ``clocks``, ``pcie``, ``nvlink``, ``health``, ``host``, or a group of another package.
    """
    unit: str
    kind: Literal["gauge", "counter", "limit", "flags"]
    """``counter`` for totals that only grow, ``limit`` for values that rarely change, ``flags`` for a bit mask."""
    scope: Literal["device", "host"]
    cadence: Literal["tick", "slow"]
    """``slow`` readings are expensive, so they are taken every few seconds and repeated in between."""
    overview: bool
    """True for the few metrics that every view shows. A page gets their history with its first message."""
    help: str
    minimum: float | None
    maximum: float | None
    maximum_metric: str | None
    flags: dict[str, str]
    """For ``kind == "flags"``, bit value (as a decimal string) → meaning; otherwise empty."""


class Catalog(Struct, frozen=True, kw_only=True):
    """Answer of ``GET catalog``: all metrics."""

    metrics: list[MetricInfo]


DeviceState = Literal["ok", "not_answering", "device_lost"]


class DeviceInfo(Struct, frozen=True, kw_only=True):
    """One device, or one MIG instance. It is identified by ``uuid``; ``index`` is only for display."""

    uuid: str
    index: int
    name: str
    state: DeviceState
    """``not_answering``: a driver call hangs; ``device_lost``: the device fell off the bus."""
    driver_version: str | None
    pci_bus_id: str | None
    compute_capability: str | None
    """Such as ``9.0``; ``None`` if it is unknown."""
    parent_uuid: str | None
    """For a MIG instance, the UUID of its device; otherwise ``None``."""
    unified_memory: bool
    """True if device and host share one memory. Used and total memory are then those of the machine."""
    memory_total_bytes: Reading
    power_limit_watts: Reading
    clock_sm_max_mhz: Reading
    clock_memory_max_mhz: Reading
    replayed: bool
    """True if the readings come from a recording, not from a device of this machine."""
    host: str | None = None
    """The machine of the device; ``None`` for the server's own machine. Older recordings don't have this field."""

    @property
    def is_usable(self) -> bool:
        """Whether this server can run work on the device."""
        return not self.replayed and self.host is None


class NoDevices(ErrorInfo, frozen=True, kw_only=True):
    """Why there are no devices, with a hint on what to do."""


class Devices(Struct, frozen=True, kw_only=True):
    """Answer of ``GET devices``. ``reason`` is set if there are no devices, and only then."""

    devices: list[DeviceInfo]
    reason: NoDevices | None


class Version(Struct, frozen=True, kw_only=True):
    """Answer of ``GET version``."""

    version: str
    api_version: int
    source: str
    """The source in use: ``nvml``, ``none``, or ``replay``; ``starting`` before the first tick."""
    open_panel: bool = False
    """Whether a page opens the panel when it is loaded."""


class Frame(Struct, frozen=True, kw_only=True, tag="frame"):
    """All readings of one tick; ``devices``: device UUID → metric name → reading."""

    time_seconds: float
    """Unix time of the tick."""
    devices: dict[str, dict[str, Reading]]
    host: dict[str, Reading]
    host_cores_percent: list[float]
    """Utilization of each CPU core; empty if it is unknown."""
    hosts: dict[str, dict[str, Reading]] = {}
    """Machine (``DeviceInfo.host``) → its readings, for machines other than the server's."""
    taken_seconds: dict[str, float] = {}
    """Device UUID → Unix time of its readings by its source's clock, for devices that were not read for this tick."""


class Series(Struct, frozen=True, kw_only=True):
    """The history of one metric, with one entry per time step; ``None`` for steps without a value."""

    min: list[float | None]
    mean: list[float | None]
    max: list[float | None]


class Columns(Struct, frozen=True, kw_only=True):
    """The history of one device or host: the start times of the time steps, and a series per metric."""

    times_seconds: list[float]
    metrics: dict[str, Series]


class History(Struct, frozen=True, kw_only=True):
    """Answer of ``GET history``: the past readings of all devices and hosts, in time steps."""

    step_seconds: float
    devices: dict[str, Columns]
    host: Columns
    hosts: dict[str, Columns] = {}
    """Machine (``DeviceInfo.host``) → its history, for machines other than the server's."""


class Hello(Struct, frozen=True, kw_only=True, tag="hello"):
    """First message on the live socket: all data that a page needs to draw."""

    version: Version
    catalog: Catalog
    devices: Devices
    history: History
    interval_ms: int


class DevicesChanged(Struct, frozen=True, kw_only=True, tag="devices"):
    """The new list of devices, or the reason why there are none, sent when it has changed."""

    devices: Devices
    version: Version


class Follow(Struct, frozen=True, kw_only=True, tag="follow", forbid_unknown_fields=True):
    """Request of a page on the live socket: the lists to follow from now on, in addition to the readings."""

    topics: list[Literal["jobs", "suites", "recordings"]]


class SocketError(ErrorInfo, frozen=True, kw_only=True, tag="error"):
    """An error on the live socket; the socket stays open."""


class Alert(WithMessages, frozen=True, kw_only=True):
    """A problem that needs the user's attention now; it has lasted for its rule's minimum time."""

    code: str
    """The rule's code: ``memory_nearly_full``, ``throttled``, ``device_lost``, ``xid``, ``ecc``, ``pcie_below_link``,
    ``disk_nearly_full`` or ``shm_nearly_full``."""
    severity: Literal["info", "warning", "critical"]
    device: str | None
    """UUID of the device; ``None`` for the host."""
    since_seconds: float
    """Unix time at which the problem began."""
    summary: str
    advice: str
    evidence: dict[str, float | str]
    """The figures that support the alert; each name includes the unit."""
    summary_message: MessageOrUnset = UNSET
    advice_message: MessageOrUnset = UNSET


class AlertsChanged(Struct, frozen=True, kw_only=True, tag="alerts"):
    """All current alerts, sent when one appears or disappears, and once after the greeting."""

    alerts: list[Alert]


SHORTEST_INTERVAL_MS: Final = 100
LONGEST_INTERVAL_MS: Final = 60_000
"""Shortest and longest time between two frames for a client, in milliseconds."""


class SetInterval(Struct, frozen=True, kw_only=True, tag="set_interval"):
    """Message from a client on ``WS live``: send frames at another interval (100 to 60000 ms)."""

    interval_ms: int
