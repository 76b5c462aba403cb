"""Answer every address below ``gpuperf/`` that is not a route."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_gpuperf.errors import NotFound
from jupyter_gpuperf.routes.base import GpuPerfHandler


class MissingHandler(GpuPerfHandler):
    """Answers 404 as a coded error; Jupyter would send an HTML page."""

    @web.authenticated
    @authorized
    def get(self, path: str) -> None:
        """Raise ``NotFound``."""
        hint = "See the documentation for the routes."
        raise NotFound("unknown_route", "Unknown route gpuperf/{path}.", hint, path=path)

    post = get
    delete = get
