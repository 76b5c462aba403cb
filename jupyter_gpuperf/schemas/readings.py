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
    "not_answering",  # the call did not return in time
    "not_recorded",  # the replayed recording holds no such reading
    "not_yet",  # a rate needs two samples, and there is only one so far
    "implausible",  # the driver returned an impossible value
    "driver_error",  # the driver returned another error; see the log
]
"""Why there is no value. Missing is not zero."""

Reading = float | MissingReason
"""A value, or the reason why there is none."""

Readings = dict[str, Reading]
"""Metric name → value or reason."""


class MetricInfo(Struct, frozen=True, kw_only=True):
    """One metric of the catalogue.

    ``maximum`` is the top of the scale if it is constant; ``maximum_metric`` names the metric with the
    maximum if it depends on the device (memory used → memory total).
    """

    name: str
    label: str
    family: str
    """Heading under which it is shown: ``activity``, ``memory``, ``power``, ``temperature``,
    ``clocks``, ``pcie``, ``nvlink``, ``health``, ``host``, or a heading of another package.
    """
    unit: str
    kind: Literal["gauge", "counter", "limit", "flags"]
    """``counter`` for totals that only grow, ``limit`` for values that rarely change."""
    scope: Literal["device", "host"]
    cadence: Literal["tick", "slow"]
    """``slow`` readings are expensive: they are taken every few seconds and repeated in between."""
    overview: bool
    """True for the few metrics in every view: a page gets their history with its first message."""
    help: str
    minimum: float | None
    maximum: float | None
    maximum_metric: str | None
    flags: dict[str, str]
    """For ``kind == "flags"``: bit value (as a decimal string) → meaning. Otherwise empty."""


class Catalog(Struct, frozen=True, kw_only=True):
    """Answer of ``GET catalog``."""

    metrics: list[MetricInfo]


DeviceState = Literal["ok", "not_answering", "device_lost"]


class DeviceInfo(Struct, frozen=True, kw_only=True):
    """One device, or one MIG instance. ``uuid`` is its key everywhere; ``index`` is for display."""

    uuid: str
    index: int
    name: str
    state: DeviceState
    """``not_answering``: a driver call hangs; ``device_lost``: the device fell off the bus."""
    driver_version: str | None
    pci_bus_id: str | None
    compute_capability: str | None
    """For example ``9.0``."""
    parent_uuid: str | None
    """For a MIG instance: the device that it belongs to."""
    unified_memory: bool
    """True if device and host share one memory: used and total are those of the machine."""
    memory_total_bytes: Reading
    power_limit_watts: Reading
    clock_sm_max_mhz: Reading
    clock_memory_max_mhz: Reading
    replayed: bool
    """True if the readings come from a recording, not from a device of this machine."""
    host: str | None = None
    """The machine that it is in; ``None`` for the server's own. (The default, since older recordings lack it.)"""

    @property
    def is_usable(self) -> bool:
        """Whether work can run on it from here."""
        return not self.replayed and self.host is None


class NoDevices(ErrorInfo, frozen=True, kw_only=True):
    """Why there is no device: what was looked for and found, and what to type."""


class Devices(Struct, frozen=True, kw_only=True):
    """Answer of ``GET devices``. Exactly one of the two is empty."""

    devices: list[DeviceInfo]
    reason: NoDevices | None


class Version(Struct, frozen=True, kw_only=True):
    """Answer of ``GET version``."""

    version: str
    api_version: int
    source: str
    """The source in use: ``nvml``, ``none``, or ``replay``; ``starting`` before the first tick."""


class Frame(Struct, frozen=True, kw_only=True, tag="frame"):
    """All readings of one tick: device UUID → metric name → value or reason."""

    time_seconds: float
    """Unix time of the tick."""
    devices: dict[str, dict[str, Reading]]
    host: dict[str, Reading]
    host_cores_percent: list[float]
    """Utilization of each core; empty if it is not known."""
    hosts: dict[str, dict[str, Reading]] = {}
    """Other machines' readings, by the devices' ``host`` names."""
    taken_seconds: dict[str, float] = {}
    """Device UUID → Unix time of its reading by its source's clock, if it was not read for this tick."""


class Series(Struct, frozen=True, kw_only=True):
    """One metric's history, one entry per step; ``None`` if no tick had a value."""

    min: list[float | None]
    mean: list[float | None]
    max: list[float | None]


class Columns(Struct, frozen=True, kw_only=True):
    """One device's history: the start times of the steps, and a series per metric."""

    times_seconds: list[float]
    metrics: dict[str, Series]


class History(Struct, frozen=True, kw_only=True):
    """Answer of ``GET history``."""

    step_seconds: float
    devices: dict[str, Columns]
    host: Columns
    hosts: dict[str, Columns] = {}
    """Other machines' history, by the devices' ``host`` names."""


class Hello(Struct, frozen=True, kw_only=True, tag="hello"):
    """First message of the live socket: everything that a page needs to draw."""

    version: Version
    catalog: Catalog
    devices: Devices
    history: History
    interval_ms: int


class DevicesChanged(Struct, frozen=True, kw_only=True, tag="devices"):
    """The set of devices, or the reason why there is none, has changed."""

    devices: Devices
    version: Version


class Follow(Struct, frozen=True, kw_only=True, tag="follow", forbid_unknown_fields=True):
    """A page's request on the live socket: the lists to follow from now on, besides the readings."""

    topics: list[Literal["jobs", "suites", "recordings"]]


class SocketError(ErrorInfo, frozen=True, kw_only=True, tag="error"):
    """An error on the live socket; the socket stays open."""


class Alert(WithMessages, frozen=True, kw_only=True):
    """A problem that needs the user's attention now, after its hold-off."""

    code: str
    """``memory_nearly_full``, ``throttled``, ``device_lost``, ``xid``, ``ecc``, ``pcie_below_link``,
    ``disk_nearly_full`` or ``shm_nearly_full``."""
    severity: Literal["info", "warning", "critical"]
    device: str | None
    """UUID; ``None`` for the host."""
    since_seconds: float
    """Unix time at which it began."""
    summary: str
    advice: str
    evidence: dict[str, float | str]
    """The figures that support it; each name contains the unit."""
    summary_message: MessageOrUnset = UNSET
    advice_message: MessageOrUnset = UNSET


class AlertsChanged(Struct, frozen=True, kw_only=True, tag="alerts"):
    """All current alerts; sent when one appears or disappears, and once after the greeting."""

    alerts: list[Alert]


SHORTEST_INTERVAL_MS: Final = 100
LONGEST_INTERVAL_MS: Final = 60_000
"""Range of the interval between a client's frames."""


class SetInterval(Struct, frozen=True, kw_only=True, tag="set_interval"):
    """Message from a client on ``WS live``: use another interval (100 to 60000 ms)."""

    interval_ms: int
