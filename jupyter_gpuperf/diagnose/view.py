"""What a rule sees: one device, its steady state, and what stands around it."""

from __future__ import annotations

from dataclasses import dataclass

from jupyter_gpuperf.diagnose.straggler import Straggler, main_loop
from jupyter_gpuperf.diagnose.window import Device, Series, Steps
from jupyter_gpuperf.diagnose.workload import Workload


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """One device over the time that a rule looks at.

    Parameters
    ----------
    device, host
        All their readings in the window.
    series, host_series
        The part that the rule looks at: the steady state, or all of it.
    work
        That part in figures.
    steps
        The watched loaders that feed this device.
    peers
        The window's other devices.
    straggler
        Who is late in the training that this device takes part in with others.
    """

    device: Device
    host: Series
    series: Series
    host_series: Series
    work: Workload
    steps: tuple[Steps, ...] = ()
    peers: tuple[Device, ...] = ()
    straggler: Straggler | None = None

    @property
    def loader(self) -> Steps | None:
        """The watched loader whose steps take most of the time; training goes before evaluation."""
        return main_loop(self.steps)

    @property
    def is_held_up(self) -> bool:
        """Whether it waits for another rank: what it does meanwhile tells nothing of its own work."""
        return self.straggler is not None and self.straggler.holds_up(self.device.uuid)

    @property
    def processes_count(self) -> int | None:
        """The most processes that computed here at one time; ``None`` where they were not listed."""
        start, end = self.series.times_seconds[0], self.series.times_seconds[-1]
        counts = [
            len(listing.processes)
            for listing in self.device.listings
            if start <= listing.time_seconds <= end
        ]
        return max(counts, default=None)
