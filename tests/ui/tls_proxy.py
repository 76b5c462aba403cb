"""A proxy as in some companies: HTTPS outside, HTTP inside, and no WebSockets."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import trustme
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

MOST_BYTES = 256 * 1024 * 1024
MOST_REQUESTS = 100
TIMEOUT_SECONDS = 60.0
OF_ONE_CONNECTION = ("Connection", "Keep-Alive", "Transfer-Encoding", "Content-Length", "Upgrade")
"""Headers that a proxy does not pass on."""


class Proxy:
    """Forwards requests to ``target_port``; answers 400 to requests for an upgrade, and counts them."""

    def __init__(self, target_port: int) -> None:
        self.target = f"http://127.0.0.1:{target_port}"
        self.refused_count = 0
        self.url = ""
        self.client: AsyncHTTPClient

    def listen(self) -> HTTPServer:
        """Start on a free port, in the running event loop."""
        self.client = AsyncHTTPClient(
            force_instance=True, max_clients=MOST_REQUESTS, max_body_size=MOST_BYTES
        )
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
        # A page opens dozens of connections at once.
        (socket,) = bind_sockets(0, "127.0.0.1", backlog=256)
        self.url = f"https://127.0.0.1:{socket.getsockname()[1]}"
        application = Application([(".*", _Forward, {"proxy": self})])
        server = HTTPServer(application, ssl_options=tls, max_body_size=MOST_BYTES)
        server.add_socket(socket)
        return server


class _Forward(RequestHandler):
    def initialize(self, proxy: Proxy) -> None:
        self.proxy = proxy

    def check_xsrf_cookie(self) -> None:
        """The server behind it checks."""

    async def forward(self) -> None:
        if self.request.headers.get("Upgrade", "").lower() == "websocket":
            self.proxy.refused_count += 1
            self.set_status(400)
            return
        headers = HTTPHeaders(self.request.headers)
        for name in OF_ONE_CONNECTION:
            headers.pop(name, None)
        headers["X-Forwarded-Proto"] = "https"
        asked = HTTPRequest(
            f"{self.proxy.target}{self.request.uri}",
            method=self.request.method,
            headers=headers,
            body=self.request.body or None,
            allow_nonstandard_methods=True,
            follow_redirects=False,
            decompress_response=False,
            request_timeout=TIMEOUT_SECONDS,
        )
        answer = await self.proxy.client.fetch(asked, raise_error=False)
        self.set_status(answer.code, answer.reason)
        self.clear_header("Content-Type")
        for name, value in answer.headers.get_all():
            if name not in OF_ONE_CONNECTION:
                self.add_header(name, value)
        if answer.body and self.request.method != "HEAD":
            self.write(answer.body)

    get = head = post = put = patch = delete = options = forward


@contextmanager
def proxied(target_port: int) -> Iterator[Proxy]:
    """Run a proxy for a server on loopback."""
    proxy, started = Proxy(target_port), threading.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        server = proxy.listen()
        started.set()
        await ended.wait()
        server.stop()
        await server.close_all_connections()
        proxy.client.close()

    ended = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    assert started.wait(TIMEOUT_SECONDS)
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(TIMEOUT_SECONDS)
