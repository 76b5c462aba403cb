"""Whatever a page sends on the live socket: it is answered or closed with a reason, and other pages get their frames.

    pytest --hypothesis-profile long --timeout 7200 -s tests/routes/test_live_properties.py

is the long search; it prints how many messages it sent, and the memory before and after.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import reprlib
import threading
import time
import weakref

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClosedError
from waiting import until

from jupyter_gpuperf.routes import live
from jupyter_gpuperf.routes.live import LONGEST_MESSAGE_BYTES

TOPICS = ("jobs", "suites", "recordings", "everything", "")
NUMBERS = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([0, -1, 99, 100, 60_000, 60_001, 2**63, 2**64, 10**400, -(10**400), 1e308]),
)
TEXTS = st.text(max_size=20) | st.sampled_from(["\0", "\ud800", "\udfff", "x" * 200, *TOPICS])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=10,
)
OBJECTS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["set_interval", "follow", "frame", "hello"]) | VALUES,
        "interval_ms": NUMBERS | VALUES,
        "topics": st.lists(st.sampled_from(TOPICS), max_size=300) | VALUES,
        "more": VALUES,
    },
)
OPENINGS = ("[", '{"a":', '{"type": "follow", "topics": ', '[{"interval_ms":')
DEEP = st.tuples(st.sampled_from(OPENINGS), st.integers(1, 2000)).map(lambda two: two[0] * two[1])
RAW = st.one_of(
    st.binary(max_size=200),
    st.sampled_from([b"\xff\xfe", b"\xed\xa0\x80", b'{"interval_ms": 1e400}', b'{"interval_ms":']),
    st.integers(1, 6000).map(lambda digits: b'{"interval_ms": %s}' % (b"9" * digits)),
    st.integers(-1, 2000).map(lambda more: b" " * (LONGEST_MESSAGE_BYTES + more)),
)


class Sent(bytes):
    """What a page sends; shortened where Hypothesis shows it."""

    def __repr__(self) -> str:
        return f"{reprlib.repr(bytes(self))} ({len(self)} bytes)"


def _json(drawn: tuple[object, bool]) -> bytes:
    value, escaped = drawn
    return json.dumps(value, ensure_ascii=escaped).encode(errors="surrogatepass")


MESSAGES = st.one_of(
    st.tuples(VALUES | OBJECTS, st.booleans()).map(_json), DEEP.map(str.encode), RAW
)
"""Some of them are valid: pages that change their mind without end are part of it."""


REFUSALS = ("malformed_message", "parameter_out_of_range", "parameter_wrong_type")


class Page:
    """A page that sends anything; it is connected again when the server has closed its socket."""

    def __init__(self, connect):
        self._connect, self._socket = connect, None
        self.sent_count = self.refused_count = self.closed_count = 0

    async def send(self, messages):
        """Send messages, and wait until the server has handled them or closed the socket; return whether, and its code."""
        if self._socket is None:
            self._socket = await self._connect()
        self.sent_count += len(messages)
        mark = -1 - self.sent_count
        try:
            for message, is_binary in messages:
                await self._socket.write_message(message, binary=is_binary)
            await self._socket.write_message(json.dumps({"interval_ms": mark}))  # always refused
        except (WebSocketClosedError, StreamClosedError):
            pass  # what has been sent before says why
        while (answer := await asyncio.wait_for(self._socket.read_message(), 60)) is not None:
            read = json.loads(answer)
            if read["type"] == "error":
                assert read["code"] in REFUSALS, read
                assert read["message"]
                assert read["hint"]
                self.refused_count += 1
                if str(mark) in read["message"]:
                    return False, None
        code = self._socket.close_code
        self.close()
        self.closed_count += 1
        return True, code

    def close(self):
        """Close the socket, unless it is closed."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


@pytest.fixture
def connect(jp_ws_fetch):
    return lambda: jp_ws_fetch("gpuperf", "live", params={"interval_ms": 100})


@pytest.mark.filterwarnings("ignore:Generating overly large repr")
def test_whatever_a_page_sends_harms_nobody(
    connect, jp_serverapp, jp_asyncio_loop, monkeypatch, caplog
):
    monkeypatch.setattr(live, "PAUSE_SECONDS", 0.0)  # the search need not take its time
    run = jp_asyncio_loop.run_until_complete
    page, frames = Page(connect), []

    async def witness():
        socket = await connect()
        with contextlib.closing(socket):
            while (message := await socket.read_message()) is not None:
                if '"frame"' in message[:20]:
                    frames.append(time.monotonic())

    async def tasks():
        return len(asyncio.all_tasks())

    others = weakref.WeakSet(_handlers())  # of tests before: a test may end with an open socket
    bystander = jp_asyncio_loop.create_task(witness())
    run(page.send([]))
    run(until(lambda: frames))
    process = psutil.Process()
    before, threads = process.memory_info().rss, threading.active_count()
    tasks_before, began = run(tasks()), time.monotonic()

    @settings(
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], database=None
    )
    @given(st.lists(st.tuples(MESSAGES, st.booleans()), min_size=1, max_size=20))
    def send(messages):
        was_closed, code = run(page.send(messages))
        # Tornado closes it without a code for invalid UTF-8; the code for a long message may get lost when more follows.
        if was_closed:
            assert code in (None, 1009)
            assert any(_ends_the_socket(*each) for each in messages), messages

    try:
        send()
        count = len(frames)
        run(until(lambda: len(frames) > count + 2))
    finally:
        page.close()
        bystander.cancel()
        run(asyncio.wait([bystander]))
    seconds = time.monotonic() - began
    (app,) = jp_serverapp.extension_manager.extension_apps["jupyter_gpuperf"]
    run(until(lambda: len(app.services.subscribers._subscriptions) == 0))
    assert run(tasks()) <= tasks_before + 6
    assert threading.active_count() <= threads + 16  # the pools are full, and no thread else
    assert not [each for each in caplog.records if each.exc_info or each.levelno >= logging.ERROR]
    still_there = lambda: sum(each not in others for each in _handlers())
    run(until(lambda: still_there() == 0, "The release of the closed sockets' handlers"))
    after = process.memory_info().rss  # of this process, with the pages
    print(
        f"\n{page.sent_count} messages in {seconds:.0f} s: {page.refused_count} refused, "
        f"{page.closed_count} sockets closed; {len(frames)} frames for the other page; "
        f"{before / 2**20:.1f} → {after / 2**20:.1f} MiB"
    )


def _handlers() -> list[live.LiveHandler]:
    gc.collect()
    return [each for each in gc.get_objects() if type(each) is live.LiveHandler]


def _ends_the_socket(content: bytes, is_binary: bool) -> bool:
    return len(content) > LONGEST_MESSAGE_BYTES or not (is_binary or _is_utf8(content))


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
