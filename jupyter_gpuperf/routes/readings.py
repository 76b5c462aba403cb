"""What is my GPU doing: ``version catalog devices latest history alerts``."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_gpuperf.errors import Unavailable
from jupyter_gpuperf.routes.base import LATEST_SECONDS, GpuPerfHandler
from jupyter_gpuperf.server.threads import in_thread


class VersionHandler(GpuPerfHandler):
    """``GET version``: package and API version, the source in use."""

    @web.authenticated
    @authorized
    def get(self) -> None:
        """Answer :class:`schemas.Version`."""
        self.answer(self.services.sampler.version)


class CatalogHandler(GpuPerfHandler):
    """``GET catalog``: every metric."""

    @web.authenticated
    @authorized
    def get(self) -> None:
        """Answer :class:`schemas.Catalog`."""
        self.answer(self.services.catalog)


class DevicesHandler(GpuPerfHandler):
    """``GET devices``: each device, or why there is none."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer :class:`schemas.Devices`."""
        await self.services.fresh()
        self.answer(self.services.sampler.devices)


class LatestHandler(GpuPerfHandler):
    """``GET latest``: the newest frame; the devices are read for it when it is over a second old."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer :class:`schemas.Frame`."""
        await self.services.fresh(LATEST_SECONDS)
        frame = self.services.sampler.latest
        if frame is None:  # only when the first tick was lost to a stop in between
            raise Unavailable("no_sample_yet", "There is no reading yet.", "Ask again.")
        self.answer(frame)


class AlertsHandler(GpuPerfHandler):
    """``GET alerts``: what needs attention now."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer :class:`schemas.AlertsChanged`."""
        await self.services.fresh(LATEST_SECONDS)
        self.answer(self.services.alerts.told)


class HistoryHandler(GpuPerfHandler):
    """``GET history?seconds=&step_seconds=&metrics=``: columns per device."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer :class:`schemas.History`; by default all of it, in steps of a second."""
        await self.services.fresh()
        store = self.services.history
        seconds = self.number("seconds", store.seconds, 0.1, 86_400)
        step_seconds = self.number("step_seconds", 1.0, 0.1, 86_400)
        names = self.get_query_argument("metrics", "")
        metrics = [name for name in names.split(",") if name] or None
        self.answer(
            await in_thread(
                lambda: store.query(seconds=seconds, step_seconds=step_seconds, metrics=metrics)
            )
        )
