"""What a metric is: its name, unit and meaning, and how to read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, Protocol

from msgspec import Struct
from msgspec.structs import force_setattr

from jupyter_gpuperf.schemas import MetricInfo, Reading
from jupyter_gpuperf.units import unit_of, wears_its_unit

HIGHEST_PLAUSIBLE: Final = {
    "percent": 101.0,
    "ratio": 1000.0,  # summed over threads, it may be far above 1
    "celsius": 200.0,
    "watts": 20_000.0,
    "mhz": 50_000.0,
    "generation": 20.0,
    "lanes": 64.0,
}
HIGHEST_OF_ALL: Final = 9.0e18
"""Drivers mark "no value" with numbers near 2**63."""


Kind = Literal["gauge", "counter", "limit", "flags"]
Cadence = Literal["tick", "slow"]


class Calls(Protocol):
    """Calls functions of the driver (or of psutil) by name, for one device, within one tick.

    The same call is made once per tick, whatever the number of metrics that ask for it. An
    error of the driver passes through; the source turns it into a reason.

    Some names are not functions of the library, but what several of its functions give together:

    - ``field_value(id)``: one ``NVML_FI_…`` value, as a number
    - ``gpm(id)``: one ``NVML_GPM_METRIC_…`` over the time since the tick before (Hopper and newer)
    - ``gpm_slow(id)``: the same over the time since the slow tick before
    - ``pcie_counter_rate(id)``: bytes per second out of a 32-bit byte counter
    - ``xid_count()``, ``xid_last_code()``: critical errors that the driver told since the start
    """

    def __call__(self, function: str, *arguments: int) -> Any:  # the driver's structs are untyped
        """Call ``function(handle, *arguments)``."""


SHARES: Final = ("percent", "ratio")


class Metric(Struct, frozen=True):
    """A thing that can be sampled.

    Parameters
    ----------
    name
        Unique, snake_case, ending in the unit: ``power_watts``.
    read
        Takes :class:`Calls` and returns the value in ``unit``, or ``None`` when the driver gave none.
    unit
        By default the one that the name ends in.
    maximum, maximum_metric
        Top of the scale: a constant (100 for ``percent``), or the metric that gives it.
    kind
        ``limit`` for what hardly changes (totals, maxima), ``flags`` for a bit mask, ``counter`` for
        totals that only grow, else ``gauge``.
    per_second
        True when ``read`` gives a total that grows: the reading is then its growth per second,
        by the time that really passed.
    covers_tick
        True when a reading is of all the time since the tick before, as rates are: who replays less often
        than was recorded takes their mean.
    cadence
        ``slow`` for a reading that costs more than about 0.2 ms; ``limit`` metrics are slow anyway.
    overview
        True for the few that every view shows.
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
        if not wears_its_unit(self.name, self.unit):
            raise ValueError(
                f"metric {self.name!r} must end with its unit: _{self.unit or '<unit>'}"
            )
        if self.unit == "percent" and self.maximum_metric is None and self.maximum is None:
            force_setattr(self, "maximum", 100.0)

    def checked(self, value: float) -> Reading:
        """Return a value that was read as a reading: ``implausible`` where its unit can't be so much.

        Some drivers answer with success and a pattern of bits.
        """
        lowest = -100.0 if self.unit == "celsius" or self.minimum is None else self.minimum
        if not lowest <= value <= HIGHEST_PLAUSIBLE.get(self.unit, HIGHEST_OF_ALL):  # nor is NaN
            return "implausible"
        # A share may come out a little above its whole by rounding of two clocks.
        if self.maximum is not None and value > self.maximum and self.unit in SHARES:
            return self.maximum
        return float(value)

    def info(self) -> MetricInfo:
        """Return what goes over the wire."""
        shown = {name: getattr(self, name) for name in MetricInfo.__struct_fields__}
        shown["cadence"] = "slow" if self.kind == "limit" else self.cadence
        shown["flags"] = {str(bit): meaning for bit, meaning in self.flags.items()}
        return MetricInfo(**shown)
