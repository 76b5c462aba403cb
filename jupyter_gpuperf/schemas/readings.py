"""Devices, metrics and their readings."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

from jupyter_gpuperf.schemas.errors import ErrorInfo

MissingReason = Literal[
    "not_supported",  # the device or driver has no such reading
    "no_permission",  # it has, but not for this user
    "device_lost",  # the device fell off the bus, or the driver was unloaded
    "not_answering",  # the call did not return in time
    "not_recorded",  # the replayed recording holds no such reading
    "not_yet",  # a rate needs two samples, and there is one so far
    "implausible",  # the driver answered with a value that can't be
    "driver_error",  # the driver answered with another error; the log names it
]
"""Why there is no value. Missing is not zero."""

Reading = float | MissingReason
"""A value, or the reason why there is none."""

Readings = dict[str, Reading]
"""Metric name → value or reason."""


class MetricInfo(Struct, frozen=True, kw_only=True):
    """One metric of the catalogue.

    ``maximum`` is the top of the scale where it is a constant; ``maximum_metric`` names the metric
    that gives it where it depends on the device (memory used → memory total).
    """

    name: str
    label: str
    family: str
    """Heading under which it is shown: ``activity``, ``memory``, ``power``, ``temperature``,
    ``clocks``, ``pcie``, ``nvlink``, ``health``, ``host``, or what another package says."""
    unit: str
    kind: Literal["gauge", "counter", "limit", "flags"]
    """``counter`` for totals that only grow, ``limit`` for what hardly changes."""
    scope: Literal["device", "host"]
    cadence: Literal["tick", "slow"]
    """``slow`` readings are dear to take: they come every few seconds and are repeated meanwhile."""
    overview: bool
    """True for the few that every view shows: a page gets their history with its first message."""
    help: str
    minimum: float | None
    maximum: float | None
    maximum_metric: str | None
    flags: dict[str, str]
    """For ``kind == "flags"``: bit value (as a decimal string) → what it means. Else empty."""


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
    """``not_answering``: a call of the driver hangs; ``device_lost``: it fell off the bus."""
    driver_version: str | None
    pci_bus_id: str | None
    compute_capability: str | None
    """For example ``9.0``."""
    parent_uuid: str | None
    """For a MIG instance: the device that it is a part of."""
    unified_memory: bool
    """True where device and host share one memory: used and total are those of the machine."""
    memory_total_bytes: Reading
    power_limit_watts: Reading
    clock_sm_max_mhz: Reading
    clock_memory_max_mhz: Reading
    replayed: bool
    """True when the readings come from a recording, not from a device of this machine."""
    host: str | None = None
    """The machine that it is in; ``None`` for the server's own. (By default, since older recordings lack it.)"""

    @property
    def is_usable(self) -> bool:
        """Whether work can be given to it from here."""
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
    """Share of each core that worked; empty where that is not known."""
    hosts: dict[str, dict[str, Reading]] = {}
    """Other machines' readings, by the names that devices have as ``host``."""
    taken_seconds: dict[str, float] = {}
    """Device UUID → Unix time of its reading by its source's clock, where it was not read for this tick."""


class Series(Struct, frozen=True, kw_only=True):
    """One metric's history, one entry per step; ``None`` where no tick had a value."""

    min: list[float | None]
    mean: list[float | None]
    max: list[float | None]


class Columns(Struct, frozen=True, kw_only=True):
    """One device's history: the steps' starting times, and a series per metric."""

    times_seconds: list[float]
    metrics: dict[str, Series]


class History(Struct, frozen=True, kw_only=True):
    """Answer of ``GET history``."""

    step_seconds: float
    devices: dict[str, Columns]
    host: Columns
    hosts: dict[str, Columns] = {}
    """Other machines', by the names that devices have as ``host``."""


class Hello(Struct, frozen=True, kw_only=True, tag="hello"):
    """First message of the live socket: all that a page needs to draw."""

    version: Version
    catalog: Catalog
    devices: Devices
    history: History
    interval_ms: int


class DevicesChanged(Struct, frozen=True, kw_only=True, tag="devices"):
    """The set of devices, or the reason why there is none, changed."""

    devices: Devices
    version: Version


class Follow(Struct, frozen=True, kw_only=True, tag="follow", forbid_unknown_fields=True):
    """A page's wish on the live socket: which lists to follow from now on, beside the readings."""

    topics: list[Literal["jobs", "suites", "recordings"]]


class SocketError(ErrorInfo, frozen=True, kw_only=True, tag="error"):
    """A refusal on the live socket; the socket stays open."""


class Alert(Struct, frozen=True, kw_only=True):
    """Something that needs the user's attention now, after its hold-off."""

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
    """The figures behind it, each wearing its unit in its name."""


class AlertsChanged(Struct, frozen=True, kw_only=True, tag="alerts"):
    """All alerts that hold now; sent when one comes or goes, and once after the greeting."""

    alerts: list[Alert]


SHORTEST_INTERVAL_MS: Final = 100
LONGEST_INTERVAL_MS: Final = 60_000
"""How often a client can have frames."""


class SetInterval(Struct, frozen=True, kw_only=True, tag="set_interval"):
    """What a client may send on ``WS live``: wish for another interval (100 to 60000 ms)."""

    interval_ms: int
