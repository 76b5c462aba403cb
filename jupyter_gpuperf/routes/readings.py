"""The routes ``version``, ``catalog``, ``devices``, ``latest``, ``history`` and ``alerts``."""

from __future__ import annotations

from typing import Final

from jupyter_gpuperf.routes.base import GpuPerfHandler
from jupyter_gpuperf.routes.operation import Query, number, operation
from jupyter_gpuperf.schemas import AlertsChanged, Catalog, Devices, Frame, History, Version
from jupyter_gpuperf.server.threads import in_thread

DAY_SECONDS: Final = 86_400.0


class VersionHandler(GpuPerfHandler):
    """``GET version``: package and API version, the source in use."""

    @operation(Version)
    def get(self) -> Version:
        """The versions of the package and of the API, and the source in use."""
        return self.services.sampler.version


class CatalogHandler(GpuPerfHandler):
    """``GET catalog``: every metric."""

    @operation(Catalog)
    def get(self) -> Catalog:
        """Every metric: name, label, unit, kind, scope, help, range."""
        return self.services.catalog


class DevicesHandler(GpuPerfHandler):
    """``GET devices``: each device, or why there is none."""

    @operation(Devices)
    async def get(self) -> Devices:
        """Per device: uuid, index, name, driver, limits, `host` (null: this machine); or why there is none."""
        await self.services.wait_for_readings()
        return self.services.sampler.devices


class LatestHandler(GpuPerfHandler):
    """``GET latest``: the latest frame; the devices are read again if it is more than a second old."""

    @operation(Frame)
    async def get(self) -> Frame:
        """The latest frame, at most a second old; `taken_seconds` is the time of each older reading."""
        return await self.services.latest()


class AlertsHandler(GpuPerfHandler):
    """``GET alerts``: what needs attention now."""

    @operation(AlertsChanged)
    async def get(self) -> AlertsChanged:
        """What needs attention now, each with code, severity, device, start time, evidence and advice."""
        await self.services.latest()
        return self.services.alerts.current


class HistoryHandler(GpuPerfHandler):
    """``GET history``: columns per device."""

    @operation(
        History,
        number("seconds", 0.1, DAY_SECONDS, "How far back; default: all at the full rate."),
        number("step_seconds", 0.1, DAY_SECONDS, "Time per step.", default=1.0),
        Query(name="metrics", default="", help="Names separated by commas; default: all."),
    )
    async def get(self, seconds: float | None, step_seconds: float, metrics: str) -> History:
        """Columns per device: times, and min, mean, max per metric."""
        await self.services.wait_for_readings()
        store = self.services.history
        names = [name for name in metrics.split(",") if name] or None
        span = seconds or store.seconds
        return await in_thread(
            lambda: store.query(seconds=span, step_seconds=step_seconds, metrics=names)
        )
