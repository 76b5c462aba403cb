"""A proxy as in some companies: HTTPS outside, HTTP inside, and no WebSockets."""

from __future__ import annotations

import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import trustme

BLOCK_BYTES = 64 * 1024
REFUSAL = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Proxy(socketserver.ThreadingTCPServer):
    """Forwards requests to ``target_port``; answers 400 to requests for an upgrade, and counts them."""

    daemon_threads = True
    request_queue_size = 128
    """A page opens dozens of connections at once; the default of 5 refuses some."""

    def __init__(self, target_port: int) -> None:
        super().__init__(("127.0.0.1", 0), OneRequest)
        self.target_port = target_port
        self.refused_count = 0
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert("127.0.0.1").configure_cert(self.tls)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server_address[1]}"


class OneRequest(socketserver.StreamRequestHandler):
    """Lets a connection carry one request only, so that every request is examined."""

    server: Proxy

    def setup(self) -> None:
        # Here, in the connection's own thread: a slow TLS handshake delays no other connection.
        self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def handle(self) -> None:
        request = self.rfile.readline()
        headers = []
        while (line := self.rfile.readline()) not in (b"\r\n", b""):
            headers.append(line)
        if any(each.lower().startswith(b"upgrade: websocket") for each in headers):
            self.server.refused_count += 1
            self.wfile.write(REFUSAL)
        else:
            self.pass_on(request, headers)

    def pass_on(self, request: bytes, headers: list[bytes]) -> None:
        length = next(
            (
                int(each.split(b":")[1])
                for each in headers
                if each.lower().startswith(b"content-length:")
            ),
            0,
        )
        kept = [each for each in headers if not each.lower().startswith(b"connection:")]
        kept += [b"Connection: close\r\n", b"X-Forwarded-Proto: https\r\n", b"\r\n"]
        with socket.create_connection(("127.0.0.1", self.server.target_port)) as inner:
            inner.sendall(b"".join([request, *kept]) + self.rfile.read(length))
            while block := inner.recv(BLOCK_BYTES):
                self.wfile.write(block)

    def finish(self) -> None:
        super().finish()
        with suppress(OSError):
            self.request.unwrap()
        self.request.close()


@contextmanager
def proxied(target_port: int) -> Iterator[Proxy]:
    """Run a proxy during the test."""
    with Proxy(target_port) as proxy:
        proxy.handle_error = lambda *_: None  # a page that is left breaks its connections
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
