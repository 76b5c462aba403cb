"""A kernel's connection to its server: one transport for all messages of a kernel.

Nothing here waits for the server unless the caller passes a time to wait. Messages that can't be sent yet are kept in
bounded memory. If the server reads nothing for a while, the link disconnects and reconnects later.
"""

from __future__ import annotations

import os
import socket
import time
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from jupyter_gpuperf.kernel_link import peer
from jupyter_gpuperf.kernel_link.address import find_server, runtime_directories
from jupyter_gpuperf.kernel_link.framing import LineBuffer
from jupyter_gpuperf.messages.printable import printable_data
from jupyter_gpuperf.schemas import encode
from jupyter_gpuperf.schemas.kernel_link import FromServer

SEND_SECONDS: Final = 2.0
"""The link disconnects from a server that reads nothing for this long."""
LONGEST_UNSENT_BYTES: Final = 1 << 20
LONGEST_LINE_BYTES: Final = 16 << 20
"""Maximum length of a message from the server: a job's state can contain all samples of a result."""
NO_SIGNAL: Final = getattr(socket, "MSG_NOSIGNAL", 0)
"""A script may have restored the default of SIGPIPE, which would end it when the server has gone."""
FIRST_RETRY_SECONDS: Final = 1.0
LONGEST_RETRY_SECONDS: Final = 30.0

_decoder: msgspec.json.Decoder[FromServer] = msgspec.json.Decoder(FromServer)


class ServerLink:
    """At most one connection to this kernel's server. Use it from one thread only.

    The link connects when there is a message to send. After a failure it retries, with growing pauses. In a forked
    child, the link is closed permanently, since the connection belongs to the parent; the child may create its own
    link. At exit, the operating system closes the connection.

    Parameters
    ----------
    find
        Returns the path of the server's socket, or ``None`` while there is none. By default, it finds the server of
        this kernel.
    """

    def __init__(self, find: Callable[[], Path | None] | None = None) -> None:
        # Find the directories now: this needs slow imports, which would block other threads later.
        self._find = find or partial(find_server, runtime_directories())
        self._socket: socket.socket | None = None
        self._file: tuple[int, int] | None = None
        self._closed = False
        self._lines = LineBuffer(LONGEST_LINE_BYTES)
        self._unsent = bytearray()
        self._sent_at = self._connected_at = 0.0
        self._retry_at, self._retry_seconds = 0.0, FIRST_RETRY_SECONDS
        _links.add(self)

    @property
    def connected(self) -> bool:
        """Whether the link is connected. A disconnect is noticed only when sending or receiving."""
        return self._socket is not None

    def connect(self) -> bool:
        """Connect, unless the last attempt was too recent; return whether there is a connection."""
        if self._socket is None and not self._closed and time.monotonic() >= self._retry_at:
            self._retry_at = time.monotonic() + self._retry_seconds
            self._retry_seconds = min(LONGEST_RETRY_SECONDS, 2 * self._retry_seconds)
            address = self._find()
            self._socket = None if address is None else _connected(address)
            self._file = None if self._socket is None else _file_of(self._socket)
            self._connected_at = self._sent_at = time.monotonic()
        return self._socket is not None

    def send(self, message: Struct, wait_seconds: float = 0.0) -> bool:
        """Send a message, waiting at most ``wait_seconds``; return whether it was sent or queued.

        The message is lost if there is no server, or if the server disconnects before reading it.
        """
        if not self.connect():
            return False
        self._unsent += _encoded(message) + b"\n"
        self._flush(wait_seconds)
        return self.connected

    def receive(self, wait_seconds: float = 0.0) -> list[FromServer | None]:
        """Send queued messages, and return received ones after waiting at most ``wait_seconds`` for one.

        ``None`` stands for a message that can't be decoded, such as one from a newer server. If the server has
        disconnected, :attr:`connected` is ``False`` afterwards.
        """
        if self._unsent:
            self._flush(0.0)
        return [_decoded(line) for line in self._lines.feed(self._read(wait_seconds))]

    def close(self) -> None:
        """Disconnect, and never connect again."""
        self._closed = True
        self._own_socket()
        self._hang_up()

    def _flush(self, wait_seconds: float) -> None:
        connection = self._own_socket()
        if connection is None:
            return
        until = time.monotonic() + wait_seconds
        try:
            while self._unsent:
                connection.settimeout(max(0.0, until - time.monotonic()))
                del self._unsent[: connection.send(self._unsent, NO_SIGNAL)]
                self._sent_at = time.monotonic()
        except (BlockingIOError, TimeoutError):
            stuck = time.monotonic() - self._sent_at > SEND_SECONDS
            if stuck or len(self._unsent) > LONGEST_UNSENT_BYTES:
                self._hang_up()
        except OSError:
            self._hang_up()

    def _read(self, wait_seconds: float) -> bytes:
        connection = self._own_socket()
        if connection is None:
            return b""
        try:
            # Don't use select(): it can't handle file descriptors above 1024, and a notebook may have more.
            connection.settimeout(wait_seconds)
            chunk = connection.recv(1 << 16)
        except (BlockingIOError, TimeoutError):
            return b""
        except OSError:
            chunk = b""
        if not chunk:
            self._hang_up()
        return chunk

    def _own_socket(self) -> socket.socket | None:
        """Return the socket, unless the user's code has closed its descriptor, which may be a file of theirs by now."""
        if self._socket is not None and _file_of(self._socket) != self._file:
            self._socket.detach()
            self._hang_up()
        return self._socket

    def _hang_up(self) -> None:
        if self._socket is None:
            return
        self._socket.close()
        self._socket = None
        self._lines = LineBuffer(LONGEST_LINE_BYTES)
        self._unsent.clear()
        if time.monotonic() - self._connected_at > LONGEST_RETRY_SECONDS:
            self._retry_seconds = FIRST_RETRY_SECONDS  # the connection lasted, so retry soon


_links: weakref.WeakSet[ServerLink] = weakref.WeakSet()


def _close_all() -> None:
    for link in tuple(_links):
        link.close()  # the server does not notice this, because the parent keeps the connection


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_all)


def _encoded(message: Struct) -> bytes:
    try:
        return encode(message)
    except UnicodeEncodeError:  # such as the path of a notebook in a folder whose name is not UTF-8
        plain = msgspec.to_builtins(message, str_keys=True, enc_hook=str)
        return encode(printable_data(plain))


def _decoded(line: bytes | None) -> FromServer | None:
    try:
        return _decoder.decode(line or b"")
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _file_of(connection: socket.socket) -> tuple[int, int] | None:
    """Return which file the descriptor is; ``None`` if it is closed."""
    try:
        found = os.fstat(connection.fileno())
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _connected(path: Path) -> socket.socket | None:
    """Return a connection to the server; ``None`` if no process of this user is listening."""
    try:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    except OSError:  # no descriptor is left
        return None
    connection.setblocking(False)  # connecting to a stopped server with a full backlog would block
    try:
        if connection.connect_ex(str(path)) == 0 and peer.same_user(connection):
            return connection
    except OSError:  # the path is too long, or the server has disconnected
        pass
    connection.close()
    return None
