from __future__ import annotations

import json
import time

import msgspec
import pytest
from tornado.httpclient import HTTPClientError
from waiting import until

from jupyter_gpuperf.schemas import Frame, Hello, LiveMessage, SocketError


@pytest.fixture
def live(jp_ws_fetch):
    """Open the live socket; close it in the end."""
    sockets = []

    async def live(**params):
        socket = await jp_ws_fetch("gpuperf", "live", params=params)
        sockets.append(socket)
        return socket

    yield live
    for socket in sockets:
        socket.close()


async def message(socket):
    return msgspec.json.decode(await socket.read_message(), type=LiveMessage)


async def next_of(socket, kind):
    while not isinstance(found := await message(socket), kind):
        pass
    return found


async def test_the_first_message_is_all_that_a_page_needs_then_frames_follow(live):
    socket = await live(interval_ms=100)
    hello = await message(socket)
    assert isinstance(hello, Hello)
    assert hello.interval_ms == 100
    assert len(hello.devices.devices) == 2
    assert {metric.name for metric in hello.catalog.metrics} >= {"power_watts"}
    assert set(hello.history.devices) == {device.uuid for device in hello.devices.devices}
    frames = [await next_of(socket, Frame) for _ in range(3)]
    times = [frame.time_seconds for frame in frames]
    assert times == sorted(set(times))


async def test_two_clients_get_the_same_frames(live):
    first, second = await live(interval_ms=100), await live(interval_ms=100)
    of_first = [(await next_of(first, Frame)).time_seconds for _ in range(5)]
    of_second = [(await next_of(second, Frame)).time_seconds for _ in range(5)]
    assert set(of_first) & set(of_second)


@pytest.mark.parametrize("interval_ms", [99, 0, -5, 60_001, "fast", "nan"])
async def test_an_impossible_interval_is_refused_before_the_upgrade(jp_ws_fetch, interval_ms):
    with pytest.raises(HTTPClientError) as error:
        await jp_ws_fetch("gpuperf", "live", params={"interval_ms": interval_ms})
    assert error.value.code == 400
    body = json.loads(error.value.response.body)
    assert body["code"] in ("parameter_out_of_range", "parameter_wrong_type")
    assert body["hint"]


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ("not json", "malformed_message"),
        (b"\xff\xfe", "malformed_message"),
        ("[]", "malformed_message"),
        ('{"type": "dance"}', "malformed_message"),
        ('{"type": "set_interval", "interval_ms": "x"}', "malformed_message"),
        ('{"type": "set_interval", "interval_ms": 10}', "parameter_out_of_range"),
    ],
)
async def test_a_message_that_cannot_be_understood_is_answered_and_the_socket_stays(
    live, sent, code
):
    socket = await live(interval_ms=100)
    await socket.write_message(sent, binary=isinstance(sent, bytes))
    refusal = await next_of(socket, SocketError)
    assert refusal.code == code
    assert refusal.hint
    assert await next_of(socket, Frame)


@pytest.mark.parametrize(
    "wish", ['{"type": "set_interval", "interval_ms": 100}', '{"interval_ms": 100}']
)
async def test_a_client_may_change_its_pace(live, wish):
    socket = await live(interval_ms=60_000)
    await message(socket)
    await socket.write_message(wish)
    assert await next_of(socket, Frame)
    assert await next_of(socket, Frame)


async def test_a_client_that_leaves_is_forgotten(live, jp_serverapp, jp_fetch):
    socket = await live(interval_ms=100)
    await next_of(socket, Frame)
    (app,) = jp_serverapp.extension_manager.extension_apps["jupyter_gpuperf"]
    subscribers = app.services.subscribers
    assert subscribers.shortest_interval_ms() == 100
    socket.close()
    await until(lambda: subscribers.shortest_interval_ms() is None)


async def test_a_server_that_is_busy_for_seconds_loses_no_tick(live, jp_serverapp):
    """Sampling has its own thread: the history has no gap, and the client goes on with the newest."""
    socket = await live(interval_ms=100)
    await next_of(socket, Frame)
    (app,) = jp_serverapp.extension_manager.extension_apps["jupyter_gpuperf"]
    began = time.time()
    time.sleep(2)  # noqa: ASYNC251  (somebody else's extension holds the loop up)
    ended = time.time()
    history = app.services.history.query(seconds=60, step_seconds=0.1, metrics=["power_watts"])
    (columns, *_) = history.devices.values()
    ticks = [each for each in columns.times_seconds if began + 0.3 <= each <= ended - 0.3]
    assert (
        len(ticks) >= 3
    )  # of 14: the machine may be busy, too; a loop that sampled would have none
    newest = [await next_of(socket, Frame) for _ in range(2)][-1]
    assert newest.time_seconds > (began + ended) / 2  # not those that came first
