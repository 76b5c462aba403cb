"""What a metric is: its name, its unit, its meaning, and how to read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, Protocol

from msgspec import Struct
from msgspec.structs import force_setattr

from jupyter_gpuperf.schemas import MetricInfo, Reading
from jupyter_gpuperf.units import has_unit_suffix, unit_of

HIGHEST_PLAUSIBLE: Final = {
    "percent": 101.0,
    "ratio": 1000.0,  # as a sum over threads it may be far above 1
    "celsius": 200.0,
    "watts": 20_000.0,
    "mhz": 50_000.0,
    "generation": 20.0,
    "lanes": 64.0,
}
HIGHEST_OF_ALL: Final = 9.0e18
"""Drivers mark "no value" with numbers near 2**63; this is the highest value of units without their own limit."""


Kind = Literal["gauge", "counter", "limit", "flags"]
Cadence = Literal["tick", "slow"]


class Calls(Protocol):
    """Calls functions of the driver (or of psutil) by name, for one device, within one tick.

    The same call is made once per tick, however many metrics need it. Errors of the driver pass through; the
    source turns them into a reason.

    Some names are not functions of the library, but combine several of its functions:

    - ``field_value(id)``: one ``NVML_FI_…`` value, as a number
    - ``gpm(id)``: one ``NVML_GPM_METRIC_…`` over the time since the previous tick (Hopper and newer)
    - ``gpm_slow(id)``: the same over the time since the previous slow tick
    - ``pcie_counter_rate(id)``: bytes per second from a 32-bit byte counter
    - ``xid_count()``, ``xid_last_code()``: critical errors that the driver has reported since the start
    """

    def __call__(self, function: str, *arguments: int) -> Any:  # the driver's structs are untyped
        """Call ``function(handle, *arguments)``."""


SHARES: Final = ("percent", "ratio")


class Metric(Struct, frozen=True):
    """A metric that can be sampled.

    Parameters
    ----------
    name
        Unique, snake_case, ending in the unit: ``power_watts``.
    read
        Takes :class:`Calls` and returns the value in ``unit``, or ``None`` if the driver gave none.
    unit
        By default the unit at the end of the name.
    maximum, maximum_metric
        Top of the scale: a constant (100 for ``percent``), or the metric that gives it.
    kind
        ``limit`` for values that hardly change (totals, maxima), ``flags`` for a bit mask, ``counter`` for
        totals that only grow, else ``gauge``.
    per_second
        True if ``read`` returns a growing total: the reading is then its growth per second of real time.
    covers_tick
        True if a reading covers all the time since the previous tick, as rates do. A replay at a longer interval
        than the recording's then takes the mean.
    cadence
        ``slow`` for a reading that costs more than about 0.2 ms; ``limit`` metrics are always slow.
    overview
        True for the few metrics that every view shows.
    """

    name: str
    label: str
    help: str
    read: Callable[[Calls], float | None]
    family: str
    unit: str = ""
    kind: Kind = "gauge"
    scope: Literal["device", "host"] = "device"
    cadence: Cadence = "tick"
    overview: bool = False
    per_second: bool = False
    covers_tick: bool = False
    minimum: float | None = 0.0
    maximum: float | None = None
    maximum_metric: str | None = None
    flags: Mapping[int, str] = {}

    def __post_init__(self) -> None:
        if not self.unit:
            force_setattr(self, "unit", unit_of(self.name))
        if not has_unit_suffix(self.name, self.unit):
            raise ValueError(f"metric {self.name!r} must end with its unit: _{self.unit or '…'}")
        if self.unit == "percent" and self.maximum_metric is None and self.maximum is None:
            force_setattr(self, "maximum", 100.0)

    def checked(self, value: float) -> Reading:
        """Return the reading for a raw value: ``implausible`` if the value is out of the range of its unit.

        Some drivers report success and return a bit pattern.
        """
        lowest = -100.0 if self.unit == "celsius" or self.minimum is None else self.minimum
        if not lowest <= value <= HIGHEST_PLAUSIBLE.get(self.unit, HIGHEST_OF_ALL):  # or NaN
            return "implausible"
        # Rounding of two clocks can push a share slightly above its maximum.
        if self.maximum is not None and value > self.maximum and self.unit in SHARES:
            return self.maximum
        return float(value)

    def info(self) -> MetricInfo:
        """Return the metric's description as sent over the wire."""
        shown = {name: getattr(self, name) for name in MetricInfo.__struct_fields__}
        shown["cadence"] = "slow" if self.kind == "limit" else self.cadence
        shown["flags"] = {str(bit): meaning for bit, meaning in self.flags.items()}
        return MetricInfo(**shown)
