"""Several connections as one: a script's process reports to its run, and to a running Jupyter server."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from jupyter_gpuperf.kernel_link.link import ServerLink
from jupyter_gpuperf.schemas.kernel_link import FromServer


class Links:
    """Sends each message through all of its links. Use it from one thread only."""

    def __init__(self, links: Sequence[ServerLink]) -> None:
        self._links = links

    @property
    def connected(self) -> bool:
        """Whether any link is connected."""
        return any(each.connected for each in self._links)

    def send(self, message: Struct, wait_seconds: float = 0.0) -> bool:
        """Send a message as :meth:`ServerLink.send` does; return whether any link took it."""
        sent = [each.send(message, wait_seconds) for each in self._links]
        return any(sent)

    def receive(self, wait_seconds: float = 0.0) -> list[FromServer | None]:
        """Return what all links have received, after waiting at most ``wait_seconds`` at each."""
        return [message for each in self._links for message in each.receive(wait_seconds)]

    def close(self) -> None:
        """Disconnect, and never connect again."""
        for each in self._links:
            each.close()
