"""The server extension: registers its routes, and builds, starts and stops its parts."""

from __future__ import annotations

import asyncio
import contextlib
from functools import cached_property
from typing import TYPE_CHECKING, Final

from jupyter_server.extension.application import ExtensionApp
from tornado.ioloop import IOLoop

from jupyter_gpuperf.config import Settings
from jupyter_gpuperf.routes import handlers
from jupyter_gpuperf.server.threads import in_thread

if TYPE_CHECKING:
    from jupyter_gpuperf.server.services import Services
    from jupyter_gpuperf.wiring import Parts

START_DELAY_SECONDS: Final = 0.5


class GpuPerf(Settings, ExtensionApp):
    """The server extension.

    Importing and building its parts takes a fifth of a second, which would delay the start of the server. The parts are
    therefore built half a second after the start, or at the first request.
    """

    name = "jupyter_gpuperf"
    load_other_extensions = True
    _starting: asyncio.Task[None] | None = None

    @cached_property
    def parts(self) -> Parts:
        """All running parts, built on first use."""
        from jupyter_gpuperf.wiring import Parts

        assert self.serverapp is not None  # the server sets it when it initializes its extensions
        return Parts(self, self.serverapp)

    @property
    def services(self) -> Services:
        """The services that the routes call."""
        return self.parts.services

    def initialize_handlers(self) -> None:
        """Add the routes."""
        self.handlers.extend(handlers(lambda: self.services))

    async def _start_jupyter_server_extension(self, _serverapp: object) -> None:
        """Schedule the start of the parts; called once the server's event loop is running."""
        IOLoop.current().call_later(START_DELAY_SECONDS, self._start_soon)

    def _start_soon(self) -> None:
        self._starting = asyncio.ensure_future(self._start())

    async def _start(self) -> None:
        try:
            await in_thread(_load_wiring)
            await self.parts.start()
        except Exception:  # nothing awaits this task: without a log, the panel just stays empty
            self.log.exception("jupyter_gpuperf could not start; its routes return the reason.")

    async def stop_extension(self) -> None:
        """Stop all parts; called when the server stops."""
        if self._starting is not None and not self._starting.done():
            self._starting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._starting
        if "parts" in self.__dict__:
            await self.parts.stop()


def _load_wiring() -> None:
    """Import the modules that the routes call; runs outside the event loop."""
    import jupyter_gpuperf.wiring  # noqa: F401  (imported only to load it)
