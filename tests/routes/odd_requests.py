"""Requests of any kind, generated from the routes' declarations, and sent as raw bytes: no client tidies them up."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, quote_from_bytes, urlsplit

import msgspec
from hypothesis import strategies as st

from jupyter_gpuperf.routes import ROUTES
from jupyter_gpuperf.routes.openapi import GROUP
from jupyter_gpuperf.routes.operation import Operation, operations_of

OTHER_METHODS: Final = ("PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "POST", "TRACE", "DANCE")
TYPES: Final = ("", "application/json", "text/plain", "multipart/form-data", "a/b; charset=\xe9")
CODINGS: Final = ("", "gzip", "br", "utf-16")
ACCEPTED: Final = ("", "*/*", "application/openmetrics-text; version=9.9.9", ";;=,q=x", "text/\xe9")
KNOWN_WORDS: Final = ("dataloader", "launch", "REPLAY-0-GPU", "python3", "power_watts", "metrics")
NUMBERS: Final = (
    *("0", "-1", "1e400", "-1e400", "nan", "inf", "0x10", "1_000", "\u0663", "1e308", "5e-324"),
    *("9" * 400, "9" * 5000, "-" + "9" * 25, "18446744073709551616", "1.5"),
)
TEXTS: Final = st.text(max_size=20) | st.sampled_from(["", "\0", "../..", "a" * 3000, *KNOWN_WORDS])
LITERALS: Final = st.sampled_from([b"NaN", b"-Infinity", b'"\\ud800"', b'"\xff"', b"01", b"{,}"])
DEEP: Final = tuple(mark * 100_000 for mark in (b"[", b'{"a":', b'[{"a":'))
BIG: Final = (b'"' + b"a" * 2_000_000 + b'"', b"[" + b"1," * 500_000 + b"1]", b" " * 2_000_000)


@dataclass(frozen=True, kw_only=True)
class OddRequest:
    """A request that may break any rule above HTTP's own."""

    method: str
    target: bytes
    headers: dict[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"{self.method} {self.target[:300]!r} {self.headers} {self.body[:300]!r}"


def declared_requests() -> list[tuple[str, str]]:
    """Return every route's pattern with each of its methods; ``*`` stands for those that it does not have."""
    declared = [
        (pattern, method.upper())
        for pattern, handler in ROUTES
        for method in (*operations_of(handler), "*")
    ]
    return [each for each in declared if each[0] != "live"]


def requests(pattern: str, method: str) -> st.SearchStrategy[OddRequest]:
    """Return requests for a route, with odd path, query, headers and body."""
    declared = operations_of(dict(ROUTES)[pattern]).get(method.lower())
    there = {each.upper() for each in operations_of(dict(ROUTES)[pattern])}
    others = [each for each in OTHER_METHODS if each not in there]
    methods = st.just(method) if declared else st.sampled_from(others)
    made = st.builds(
        OddRequest,
        method=methods,
        target=st.builds(lambda path, query: path + query, _paths(pattern), _queries(declared)),
        headers=_headers(),
        body=st.just(b"") if method == "GET" else _bodies(declared),
    )
    return made.filter(_examines_nothing) if declared and pattern == "doctor" else made


def _examines_nothing(request: OddRequest) -> bool:
    """Return whether the request names a kernel spec that does not exist: the checks themselves take seconds."""
    query = parse_qs(
        urlsplit(request.target).query.decode(), keep_blank_values=True, encoding="latin-1"
    )
    names = query.get("kernel", [""])
    return names[-1] != "python3" and names[-1].strip().isprintable() and bool(names[-1].strip())


def _paths(pattern: str) -> st.SearchStrategy[bytes]:
    pieces: list[st.SearchStrategy[bytes]] = []
    rest = pattern.replace("\\", "")
    for name, allowed in GROUP.findall(pattern):
        before, _, rest = rest.partition(f"(?P<{name}>{allowed})".replace("\\", ""))
        fitting = st.from_regex(f"(?a:{allowed})", fullmatch=True).map(str.encode)
        odd = st.binary(max_size=30).map(lambda raw: quote_from_bytes(raw, safe="/.").encode())
        pieces += [st.just(before.encode()), fitting.map(_quoted) | odd]
    return st.tuples(*pieces, st.just(rest.encode())).map(b"".join)


def _quoted(raw: bytes) -> bytes:
    return quote_from_bytes(raw, safe="/").encode()


def _queries(declared: Operation | None) -> st.SearchStrategy[bytes]:
    names = [each.name for each in declared.query] if declared else []
    values = (
        st.sampled_from(NUMBERS).map(str.encode)
        | st.integers(-3, 200_000).map(lambda number: str(number).encode())
        | TEXTS.map(lambda text: text.encode(errors="surrogatepass"))
        | st.binary(max_size=10)
    )
    pair = st.tuples(st.sampled_from([*names, *names, "x", ""]), values.map(_quoted))
    return st.lists(pair, max_size=4).map(
        lambda pairs: b"?" * bool(pairs) + b"&".join(n.encode() + b"=" + v for n, v in pairs)
    )


def _headers() -> st.SearchStrategy[dict[str, str]]:
    return st.fixed_dictionaries(
        {},
        optional={
            "Content-Type": st.sampled_from(TYPES),
            "Content-Encoding": st.sampled_from(CODINGS),
            "Accept": st.sampled_from(ACCEPTED),
            "If-None-Match": st.sampled_from(["*", 'W/"', "\xff"]),
            "Range": st.sampled_from(["bytes=9-1", "x"]),
            "Cookie": st.sampled_from(["a", "username-x=\xff; _xsrf=", ";" * 50]),
            "X-XSRFToken": st.just("2|a|b|c"),
        },
    )


def _bodies(declared: Operation | None) -> st.SearchStrategy[bytes]:
    shape = declared.takes if declared else None
    plausible = json_values() if shape is None else _nearly(shape)
    encoded = plausible.map(lambda value: json.dumps(value).encode())
    cut = st.builds(lambda text, end: text[:end], encoded, st.integers(0, 40))
    wrapped = LITERALS.map(lambda literal: b'{"benchmark": ' + literal + b"}") | LITERALS
    rare = st.sampled_from([*DEEP, *BIG])
    # Large bodies are slow to send: one of thirty.
    usual = st.one_of(encoded, encoded, encoded, cut, wrapped, st.binary(max_size=40))
    return st.integers(0, 29).flatmap(lambda draw: usual if draw else rare)


def json_values() -> st.SearchStrategy[Any]:
    """Return values of any JSON type, NaN and numbers of any size included."""
    scalar = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        TEXTS,
        st.sampled_from([10**30, -(10**400), 1e308, *KNOWN_WORDS]),
    )
    return st.recursive(
        scalar,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
        max_leaves=4,
    )


def _nearly(shape: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    names = [each.encode_name for each in msgspec.structs.fields(shape)]
    # An empty request may be a valid one.
    return st.dictionaries(st.sampled_from([*names, "x"]), json_values(), min_size=1, max_size=5)


class Caller:
    """Sends requests over one connection; opens another one when the server has closed it."""

    def __init__(self, url: str, token: str, patience_seconds: float) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname, parts.port)
        self._token, self._patience_seconds = token, patience_seconds
        self._socket: socket.socket | None = None

    def call(self, request: OddRequest) -> tuple[int, bytes]:
        """Return the status and the body of the answer. Raises ``TimeoutError`` if there is none in time."""
        for attempt in range(2):
            fresh = self._socket is None
            connection = self._socket = self._socket or socket.create_connection(
                self._address, timeout=self._patience_seconds
            )
            try:
                connection.sendall(self._encoded(request))
                return self._answer(connection, request.method)
            except ConnectionError:  # a kept connection may have been closed meanwhile
                self.close()
                if fresh or attempt:
                    raise
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _encoded(self, request: OddRequest) -> bytes:
        headers = {
            "Host": f"{self._address[0]}:{self._address[1]}",
            "Authorization": f"token {self._token}",
            "Content-Length": str(len(request.body)),
            **request.headers,
        }
        lines = [f"{name}: {value}\r\n".encode("latin-1") for name, value in headers.items()]
        first = request.method.encode() + b" /gpuperf/" + request.target + b" HTTP/1.1\r\n"
        return b"".join([first, *lines, b"\r\n", request.body])

    def _answer(self, connection: socket.socket, method: str) -> tuple[int, bytes]:
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._received(connection)
        head, _, body = received.partition(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        status = int(status_line.split()[1])
        if method == "HEAD" or status in (204, 304):
            return status, b""
        while len(body) < int(headers["content-length"]):
            body += self._received(connection)
        if headers.get("connection") == "close":
            self.close()
        return status, body

    @staticmethod
    def _received(connection: socket.socket) -> bytes:
        if not (piece := connection.recv(1 << 18)):
            raise ConnectionResetError
        return piece
