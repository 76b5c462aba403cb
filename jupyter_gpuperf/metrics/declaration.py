"""Declare a metric: its name, its unit, its meaning, and how to read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, Protocol

from msgspec import Struct
from msgspec.structs import force_setattr

from jupyter_gpuperf.schemas import MetricInfo, Reading
from jupyter_gpuperf.units import has_unit_suffix, unit_of

HIGHEST_PLAUSIBLE: Final = {
    "percent": 101.0,
    "ratio": 1000.0,  # a sum over threads may be far above 1
    "celsius": 200.0,
    "watts": 20_000.0,
    "mhz": 50_000.0,
    "generation": 20.0,
    "lanes": 64.0,
}
HIGHEST_DEFAULT: Final = 9.0e18
"""Highest plausible value for every other unit. Drivers return numbers near 2**63 for "no value"."""


Kind = Literal["gauge", "counter", "limit", "flags"]
Cadence = Literal["tick", "slow"]


class Calls(Protocol):
    """Calls functions of the driver (or of psutil) by name, for one device, within one tick.

    Each call is made only once per tick, even if several metrics need it. Errors of the driver are raised; the source
    converts them into the reason for a missing value.

    Some names are not functions of the library, but combine several of its functions:

    - ``field_value(id)``: one ``NVML_FI_…`` value, as a number
    - ``gpm(id)``: one ``NVML_GPM_METRIC_…`` over the time since the previous tick (Hopper and newer)
    - ``gpm_slow(id)``: the same value, but over the time since the previous slow tick
    - ``pcie_counter_rate(id)``: bytes per second from a 32-bit byte counter
    - ``xid_count()``, ``xid_last_code()``: number and last code of the critical errors since the server started
    """

    def __call__(self, function: str, *arguments: int) -> Any:  # the driver's structs are untyped
        """Return the result of ``function(handle, *arguments)``."""


SHARE_UNITS: Final = ("percent", "ratio")


class Metric(Struct, frozen=True):
    """A metric that can be sampled.

    Parameters
    ----------
    name
        Unique, snake_case, ending in the unit: ``power_watts``.
    read
        Function that takes a :class:`Calls` and returns the value in ``unit``, or ``None`` if the driver has no value.
    family
        Group in which pages show the metric.
    unit
        The unit; by default the one at the end of the name.
    kind
        ``limit`` for values that hardly change (totals, maxima), ``flags`` for a bit mask, ``counter`` for
        totals that only grow, otherwise ``gauge``.
    cadence
        ``slow`` for a reading that costs more than about 0.2 ms; it is taken only every few seconds. ``limit`` metrics
        are always slow.
    overview
        True for the few metrics that every view shows.
    per_second
        True if ``read`` returns a growing total. The reading is then the growth per second.
    covers_tick
        True if a reading covers all the time since the previous tick, as rates do. A replay at a longer interval
        than that of the recording then takes the mean.
    maximum, maximum_metric
        The upper end of the scale: a constant (100 for ``percent``), or the name of the metric that contains it.
    flags
        For ``kind="flags"``, bit → meaning.
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

    def to_reading(self, value: float) -> Reading:
        """Return the reading for a raw value; ``implausible`` if the value is outside the range of its unit.

        Some drivers report success but return an arbitrary bit pattern.
        """
        lowest = -100.0 if self.unit == "celsius" or self.minimum is None else self.minimum
        if not lowest <= value <= HIGHEST_PLAUSIBLE.get(self.unit, HIGHEST_DEFAULT):  # or NaN
            return "implausible"
        # A share of two rounded times can be slightly above its maximum.
        if self.maximum is not None and value > self.maximum and self.unit in SHARE_UNITS:
            return self.maximum
        return float(value)

    def info(self) -> MetricInfo:
        """Return the metric's description for the catalogue."""
        shown = {name: getattr(self, name) for name in MetricInfo.__struct_fields__}
        shown["cadence"] = "slow" if self.kind == "limit" else self.cadence
        shown["flags"] = {str(bit): meaning for bit, meaning in self.flags.items()}
        return MetricInfo(**shown)
