"""Everything below ``gpuperf/`` that is no route."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_gpuperf.errors import NotFound
from jupyter_gpuperf.routes.base import GpuPerfHandler


class MissingHandler(GpuPerfHandler):
    """Answers 404 in the one shape of refusals, where Jupyter would answer a page."""

    @web.authenticated
    @authorized
    def get(self, path: str) -> None:
        """Refuse."""
        hint = "The documentation lists the routes."
        raise NotFound("unknown_route", f"There is nothing at gpuperf/{path}.", hint)

    post = get
    delete = get
