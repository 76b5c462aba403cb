"""``WS live?interval_ms=``: one frame per interval, without ever blocking the server."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import msgspec
from jupyter_server.auth.decorator import ws_authenticated
from jupyter_server.base.call_context import CallContext
from jupyter_server.base.websocket import WebSocketMixin
from jupyter_server.utils import ensure_async
from tornado.web import HTTPError
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.routes.base import AUTH_RESOURCE, CodedErrors
from jupyter_gpuperf.routes.operation import Operation, declared_as, number
from jupyter_gpuperf.schemas import (
    LONGEST_INTERVAL_MS,
    SHORTEST_INTERVAL_MS,
    Follow,
    Hello,
    SetInterval,
    SocketError,
    encode,
)
from jupyter_gpuperf.server.threads import in_thread

if TYPE_CHECKING:
    from jupyter_gpuperf.sampling import Subscription
    from jupyter_gpuperf.server.fanout import Outbox
    from jupyter_gpuperf.server.services import Services

HELLO_SECONDS: Final = 120.0
"""Length of the history in the first message to a page."""

LONGEST_MESSAGE_BYTES: Final = 1 << 20
"""Maximum length of a page's message; longer ones close the socket with code 1009."""
PAUSE_SECONDS: Final = 0.02
"""Pause after each message of a page. A page sends few; one that sends many waits for itself, and nobody for it."""
SEND_BUFFER_BYTES: Final = 1 << 16
"""Size of the system's buffer for a page. A page that stops reading gets the latest frame when it reads again, not
megabytes of old ones, and takes no more of the server's time once the buffer is full."""

DEFAULT_INTERVAL_MS: Final = 1000
BOUNDS_MS: Final = (SHORTEST_INTERVAL_MS, LONGEST_INTERVAL_MS)
INTERVAL: Final = number("interval_ms", *BOUNDS_MS, "Frame interval.", default=DEFAULT_INTERVAL_MS)


class LiveHandler(WebSocketMixin, WebSocketHandler, CodedErrors):
    """The live socket. It sends :data:`schemas.LiveMessage`, and receives ``SetInterval`` and ``Follow``."""

    auth_resource = AUTH_RESOURCE

    def initialize(self, services: Callable[[], Services]) -> None:
        """Store the services; nobody is subscribed yet."""
        super().initialize(services)
        self.subscription: Subscription | None = None
        self.outbox: Outbox | None = None
        self.interval_ms = DEFAULT_INTERVAL_MS

    @declared_as(
        Operation(
            answers="websocket",
            status=101,
            query=(INTERVAL,),
            description="First a hello with catalogue, devices and recent history; then a frame per interval.",
        )
    )
    @ws_authenticated
    async def get(self, *args: str, **kwargs: str) -> None:
        """Open the socket, unless the user may not read or the interval is out of range."""
        # Check before the upgrade, so that a refusal is a 403 and not an opened and closed socket.
        allowed = self.authorizer.is_authorized(self, self.current_user, "read", AUTH_RESOURCE)
        if not await ensure_async(allowed):
            raise HTTPError(403)
        self.interval_ms = int(INTERVAL.read(self))
        # Tasks and timers keep the context in which they start. Some that a page starts last longer than the page, and
        # shall not keep this object and its buffers.
        CallContext.set(CallContext.JUPYTER_HANDLER, None)
        await super().get(*args, **kwargs)

    @property
    def max_message_size(self) -> int:
        """Maximum length of a message in bytes; Tornado's default is 10 MiB."""
        return LONGEST_MESSAGE_BYTES

    async def open(self, *args: str, **kwargs: str) -> None:
        """Send a hello with everything that a page needs at first, then subscribe."""
        super().open(*args, **kwargs)
        if self.ws_connection is not None and self.ws_connection.stream is not None:
            sender = self.ws_connection.stream.socket
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        await self.services.wait_for_readings()
        await self._send(await in_thread(lambda: encode(self._hello())))
        if self.ws_connection is not None:
            outbox = self.outbox = self.services.fanout.add(self._start_to_send)
            outbox.offer(encode(self.services.alerts.current), "alerts")
            outbox.offer(encode(self.services.diagnosis.current), "findings")
            if self.services.training.latest.notebooks:
                outbox.offer(encode(self.services.training.latest), "training")
            self.subscription = self.services.subscribers.add(outbox.offer, self.interval_ms)

    async def on_message(self, message: str | bytes) -> None:
        """Change the interval or the followed lists; answer invalid messages with an error frame."""
        try:
            request = _decoded(message)
            if isinstance(request, Follow):
                self._follow(request.topics)
                return
            self.interval_ms = int(INTERVAL.parse(str(request.interval_ms)))
            if self.subscription is not None:
                self.services.subscribers.change_interval(self.subscription, self.interval_ms)
        except GpuPerfError as error:
            await self._send(encode(SocketError(**error.to_dict())))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            hint = "Send a set_interval or follow message."
            refusal = SocketError(code="malformed_message", message=f"{error}.", hint=hint)
            await self._send(encode(refusal))
        finally:
            await asyncio.sleep(PAUSE_SECONDS)  # Tornado reads the next message only then

    def send_ping(self) -> None:
        """Send a ping, unless the socket is being closed."""
        with contextlib.suppress(WebSocketClosedError):
            super().send_ping()

    def on_close(self) -> None:
        """Unsubscribe."""
        if self.ping_callback is not None:
            self.ping_callback.stop()  # otherwise, it keeps this object and its buffers for half a minute
        self._follow([])
        if self.subscription is not None:
            self.services.subscribers.remove(self.subscription)
            self.subscription = None
        super().on_close()

    def _follow(self, topics: Sequence[str]) -> None:
        if self.outbox is not None:
            for topic, live_list in self.services.live_lists.items():
                (live_list.follow if topic in topics else live_list.leave)(self.outbox)

    def _hello(self) -> Hello:
        services = self.services
        return Hello(
            version=services.sampler.version,
            catalog=services.catalog,
            devices=services.sampler.devices,
            history=services.history.query(
                seconds=HELLO_SECONDS,
                step_seconds=1.0,
                metrics=[each.name for each in services.catalog.metrics if each.overview],
            ),
            interval_ms=self.interval_ms,
        )

    async def _send(self, message: bytes) -> None:
        with contextlib.suppress(WebSocketClosedError):
            await self.write_message(message)

    def _start_to_send(self, message: bytes) -> asyncio.Future[None]:
        # The future is done once the client's buffers have taken the message. Until then, frames are dropped.
        try:
            return self.write_message(message)
        except WebSocketClosedError as error:
            closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            closed.set_exception(error)
            return closed


def _decoded(message: str | bytes) -> SetInterval | Follow:
    try:
        return msgspec.json.decode(message, type=SetInterval | Follow)
    except msgspec.ValidationError as error:
        if "missing required field `type`" not in str(error):
            raise
        return msgspec.json.decode(message, type=SetInterval)  # older pages omit the type
