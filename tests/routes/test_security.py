from __future__ import annotations

import asyncio
import json
import socket as sockets

import pytest
from jupyter_server.auth.authorizer import Authorizer
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from jupyter_gpuperf.jobs.check_runner import CheckTarget
from jupyter_gpuperf.routes import ROUTES

READABLE = [
    "version",
    "catalog",
    "devices",
    "latest",
    "history",
    "findings",
    "metrics",
    "benchmarks",
    "jobs",
    "jobs/x",
    "suites",
    "suites/x",
    "suites/x/page",
    "results/1/comparison",
    "x",
]


async def status_of(request: HTTPRequest) -> tuple[int, dict]:
    try:
        response = await AsyncHTTPClient().fetch(request)
    except HTTPClientError as error:
        body = error.response.body if error.response else b"{}"
        return error.code, json.loads(body)
    return response.code, json.loads(response.body)


@pytest.mark.parametrize("path", READABLE)
@pytest.mark.parametrize("headers", [{}, {"Authorization": "token wrong"}])
async def test_nobody_reads_without_a_good_token(
    http_server_client, jp_http_port, jp_base_url, path, headers
):
    url = f"http://127.0.0.1:{jp_http_port}{jp_base_url}gpuperf/{path}"
    status, body = await status_of(HTTPRequest(url, headers=headers))
    assert status == 403
    assert set(body) == {"code", "message", "hint"}


async def test_a_page_of_another_origin_cannot_start_a_job(
    http_server_client, jp_http_port, jp_base_url
):
    url = f"http://127.0.0.1:{jp_http_port}{jp_base_url}gpuperf/jobs"
    status, _ = await status_of(
        HTTPRequest(url, method="POST", body='{"benchmark": "compute"}', headers={"Cookie": "a=b"})
    )
    assert status == 403


async def test_the_socket_is_refused_without_a_token(http_server_client, jp_http_port, jp_base_url):
    url = f"ws://127.0.0.1:{jp_http_port}{jp_base_url}gpuperf/live"
    with pytest.raises(HTTPClientError) as error:
        await websocket_connect(url)
    assert error.value.code == 403


def test_every_route_names_the_resource_that_an_authorizer_is_asked_about():
    assert {handler.auth_resource for _, handler in ROUTES} == {"gpuperf"}


def test_no_route_counts_as_activity():
    assert not any(getattr(handler, "_track_activity", False) for _, handler in ROUTES)


class ReadOnly(Authorizer):
    """Lets everyone look at GPUs, and nobody do anything."""

    def is_authorized(self, handler, user, action, resource):
        return resource != "gpuperf" or action == "read"


class TestReadOnlyUsers:
    @pytest.fixture
    def jp_server_config(self, jp_server_config):
        jp_server_config["ServerApp"]["authorizer_class"] = ReadOnly
        return jp_server_config

    async def test_they_may_look(self, get, jp_ws_fetch):
        assert await get("latest")
        socket = await jp_ws_fetch("gpuperf", "live")
        assert await socket.read_message()
        socket.close()

    async def test_they_may_not_start_or_cancel(self, refusal):
        for path, kwargs in [
            ("jobs", {"method": "POST", "body": '{"benchmark": "compute"}'}),
            ("jobs/x", {"method": "DELETE"}),
            ("suites", {"method": "POST", "body": "{}"}),
            ("recordings", {"method": "POST", "body": "{}"}),
            ("training/explain", {"method": "POST", "body": '{"key": "x"}'}),
            ("memory/free", {"method": "POST", "body": '{"kernel": "x"}'}),
            ("doctor", {"method": "POST", "body": ""}),
            ("doctor", {"params": {"refresh": "1"}}),
            ("suites/x", {"method": "DELETE"}),
            ("results/1/baseline", {"method": "PUT", "body": ""}),
        ]:
            status, body = await refusal(*path.split("/"), **kwargs)
            assert (status, body["code"]) == (403, "forbidden")


class NoKernels(Authorizer):
    """Lets everyone use GPUs, and nobody kernels."""

    def is_authorized(self, handler, user, action, resource):
        return resource != "kernels"


class TestUsersWithoutKernels:
    @pytest.fixture
    def jp_server_config(self, jp_server_config):
        jp_server_config["ServerApp"]["authorizer_class"] = NoKernels
        return jp_server_config

    async def test_they_see_no_names_of_a_notebook(self, get, refusal):
        assert await get("latest")
        for path, kwargs in [
            ("memory", {"params": {"kernel": "x"}}),
            ("memory/free", {"params": {"kernel": "x"}}),
            ("memory/free", {"method": "POST", "body": '{"kernel": "x"}'}),
        ]:
            status, body = await refusal(*path.split("/"), **kwargs)
            assert (status, body["code"]) == (403, "forbidden")


class NoExecuting(Authorizer):
    """Lets everyone look at GPUs and keep results, and nobody start anything."""

    def is_authorized(self, handler, user, action, resource):
        return resource != "gpuperf" or action in ("read", "write")


class TestUsersWhoMayNotExecute:
    @pytest.fixture
    def jp_server_config(self, jp_server_config):
        jp_server_config["ServerApp"]["authorizer_class"] = NoExecuting
        return jp_server_config

    @pytest.mark.parametrize("path", ["jobs", "suites", "recordings", "doctor", "training/explain"])
    async def test_they_start_nothing(self, refusal, path):
        status, body = await refusal(*path.split("/"), method="POST", body="{}")
        assert (status, body["code"]) == (403, "forbidden")

    async def test_they_read_a_report_that_exists_but_have_none_made(
        self, get, refusal, jp_serverapp
    ):
        status, body = await refusal("doctor", params={"refresh": "1"})
        assert (status, body["code"]) == (403, "forbidden")
        (app,) = jp_serverapp.extension_manager.extension_apps["jupyter_gpuperf"]
        await app.services.doctor.examine(CheckTarget())
        assert (await get("doctor"))["checks"]


class DenyAll(Authorizer):
    """Refuses everything that concerns GPUs."""

    def is_authorized(self, handler, user, action, resource):
        return resource != "gpuperf"


class TestForbiddenUsers:
    @pytest.fixture
    def jp_server_config(self, jp_server_config):
        jp_server_config["ServerApp"]["authorizer_class"] = DenyAll
        return jp_server_config

    async def test_they_see_nothing(self, refusal, jp_ws_fetch):
        for path in ("version", "latest", "jobs"):
            status, _ = await refusal(path)
            assert status == 403
        with pytest.raises(HTTPClientError) as error:
            await jp_ws_fetch("gpuperf", "live")
        assert error.value.code == 403


async def test_a_stalled_client_delays_nobody_and_holds_one_message(
    jp_serverapp, jp_http_port, jp_base_url, jp_auth_header, jp_ws_fetch, get
):
    """A client that never reads: its socket fills, its frames are dropped, others get theirs."""
    await get("latest")
    stalled = sockets.create_connection(("127.0.0.1", jp_http_port))
    stalled.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 1024)
    stalled.sendall(
        f"GET {jp_base_url}gpuperf/live?interval_ms=100 HTTP/1.1\r\n"
        f"Host: 127.0.0.1:{jp_http_port}\r\n"
        f"Authorization: {jp_auth_header['Authorization']}\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    (app,) = jp_serverapp.extension_manager.extension_apps["jupyter_gpuperf"]
    subscribers = app.services.subscribers
    while subscribers.shortest_interval_ms() is None:
        await asyncio.sleep(0.01)
    # Far more than any socket's buffer, offered as fast as the loop goes.
    for _ in range(2000):
        subscribers.announce(b'"' + b"x" * 10_000 + b'"', "test")
        await asyncio.sleep(0)
    socket = await jp_ws_fetch("gpuperf", "live", params={"interval_ms": 100})
    kinds = [json.loads(await socket.read_message())["type"] for _ in range(4)]
    assert kinds == ["hello", "alerts", "findings", "frame"]
    outboxes = [each.deliver.__self__ for each in subscribers._subscriptions]
    (outbox,) = (each for each in outboxes if each.sending)
    assert {topic: len(each) for topic, each in outbox.waiting.items()}["test"] == 10_002
    assert len(outbox.waiting) <= 4
    socket.close()
    stalled.close()
