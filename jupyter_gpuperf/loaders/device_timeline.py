"""Read the time of a loop on the device's own timeline, where the host may be several steps ahead."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

Clock = Callable[[], float]


class HostTimeline:
    """The host's clock, for steps that have ended when they return.

    Parameters
    ----------
    clock
        Returns the seconds of a monotonic clock.
    """

    runs_ahead: ClassVar[bool] = False
    """Whether a step may return before the device has finished it."""

    def __init__(self, clock: Clock = time.perf_counter) -> None:
        self.clock = clock

    def wait(self) -> None:
        """Wait until all work of the steps so far has been done."""

    def mark(self) -> Any:
        """Return a mark after the steps so far."""
        self.wait()
        return self.clock()

    def seconds(self, begin: Any, end: Any) -> float:
        """Return the seconds between two marks."""
        return float(end - begin)


class DevicesTimeline(HostTimeline):
    """The host's clock, for steps that use several CUDA devices: a mark waits for all of them."""

    runs_ahead = True

    def __init__(
        self, torch: Any, devices: Iterable[Any], clock: Clock = time.perf_counter
    ) -> None:
        super().__init__(clock)
        self._torch, self._devices = torch, list(devices)

    def wait(self) -> None:
        """Wait until all work of the steps so far has been done."""
        for device in self._devices:
            self._torch.cuda.synchronize(device)


class CudaTimeline(DevicesTimeline):
    """The timeline of one CUDA device. A mark is an event, so the host need not wait for the device.

    Waiting would stop the host from preparing the next batch while the device works, which real loops do.
    """

    def __init__(self, torch: Any, device: Any, clock: Clock = time.perf_counter) -> None:
        super().__init__(torch, [device], clock)

    def mark(self) -> Any:
        """Record an event after the work queued so far."""
        (device,) = self._devices
        with self._torch.cuda.device(device):
            event = self._torch.cuda.Event(enable_timing=True)
            event.record()
        return event

    def seconds(self, begin: Any, end: Any) -> float:
        """Wait for the second event, and return the device's seconds between the two."""
        end.synchronize()
        return float(begin.elapsed_time(end)) / 1000  # from ms


def timeline_of(
    torch: Any, modules: Iterable[Any], clock: Clock = time.perf_counter
) -> HostTimeline:
    """Return the timeline of a step with these models. Without any, that of torch's current device, if CUDA is in use."""
    devices = {each.device for module in modules for each in module.parameters()}
    if not devices and torch.cuda.is_initialized():
        devices = {torch.device("cuda", torch.cuda.current_device())}
    on_cuda = [each for each in devices if each.type == "cuda"]
    if not on_cuda:
        return HostTimeline(clock)
    if len(on_cuda) == 1:
        return CudaTimeline(torch, on_cuda[0], clock)
    return DevicesTimeline(torch, on_cuda, clock)
