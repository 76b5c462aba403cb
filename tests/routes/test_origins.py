"""A page of another origin has no more rights here than with Jupyter's own kernels, and no fewer."""

from __future__ import annotations

import json

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

FOREIGN = "https://elsewhere.example"
ALLOWED = "https://partner.example"


@pytest.fixture
def address(http_server_client, jp_http_port, jp_base_url):
    return f"127.0.0.1:{jp_http_port}{jp_base_url}"


@pytest.fixture
def log_in(address, jp_auth_header):
    """Return the cookie that a browser gets when its user logs in."""

    async def log_in():
        request = HTTPRequest(f"http://{address}api/status", headers=jp_auth_header)
        response = await AsyncHTTPClient().fetch(request)
        return "; ".join(each.partition(";")[0] for each in response.headers.get_list("Set-Cookie"))

    return log_in


@pytest.fixture
def opens(address):
    async def opens(path, headers):
        try:
            socket = await websocket_connect(HTTPRequest(f"ws://{address}{path}", headers=headers))
        except HTTPClientError as error:
            if error.code != 403:
                raise
            return False
        socket.close()
        return True

    return opens


@pytest.fixture
def status(address):
    async def status(path, headers, **options):
        request = HTTPRequest(f"http://{address}gpuperf/{path}", headers=headers, **options)
        response = await AsyncHTTPClient().fetch(request, raise_error=False)
        if response.code >= 400:
            assert {"code", "message", "hint"} <= json.loads(response.body).keys()
        return response.code

    return status


async def test_the_live_socket_opens_to_whom_a_kernel_s_socket_opens(
    opens, log_in, jp_auth_header, jp_fetch, address
):
    started = await jp_fetch("api", "kernels", method="POST", body="{}")
    kernel = json.loads(started.body)["id"]
    cookie = await log_in()
    own = f"http://{address.partition('/')[0]}"
    expected = {
        ("cookie", own): True,
        ("cookie", FOREIGN): False,
        ("cookie", None): True,  # not a page: browsers always send the origin
        ("token", FOREIGN): True,  # who knows the token may use Jupyter from anywhere
        ("nothing", own): False,
    }
    credentials = {"cookie": {"Cookie": cookie}, "token": jp_auth_header, "nothing": {}}
    for (credential, origin), opened in expected.items():
        headers = {**credentials[credential], **({"Origin": origin} if origin else {})}
        assert await opens("gpuperf/live", headers) == opened, (credential, origin)
        assert await opens(f"api/kernels/{kernel}/channels", headers) == opened, (
            credential,
            origin,
        )
    await jp_fetch("api", "kernels", kernel, method="DELETE")


async def test_a_page_of_another_origin_reads_and_changes_nothing_with_its_user_s_cookie(
    status, log_in
):
    cookie = await log_in()
    foreign = {"Cookie": cookie, "Origin": FOREIGN}
    for path in ("version", "latest", "metrics", "openapi.json", "recordings/x", "suites/x/page"):
        assert await status(path, foreign) == 404, path
    for path in ("jobs", "suites", "recordings", "doctor", "training/explain"):
        assert await status(path, foreign, method="POST", body="{}") in (403, 404), path
    assert await status("jobs/x", foreign, method="DELETE") in (403, 404)
    assert await status("version", {"Cookie": cookie}) == 200


async def test_the_token_works_from_any_origin(status, jp_auth_header):
    assert await status("version", {**jp_auth_header, "Origin": FOREIGN}) == 200


class TestAnAllowedOrigin:
    @pytest.fixture
    def jp_server_config(self, jp_server_config):
        jp_server_config["ServerApp"]["allow_origin"] = ALLOWED
        return jp_server_config

    async def test_it_and_no_other_may_use_the_cookie(self, opens, status, log_in):
        cookie = await log_in()
        for origin, opened in ((ALLOWED, True), (FOREIGN, False)):
            headers = {"Cookie": cookie, "Origin": origin}
            assert await opens("gpuperf/live", headers) == opened
            assert (await status("version", headers) == 200) == opened


async def test_without_authentication_other_origins_are_refused(opens, status, jp_serverapp):
    jp_serverapp.identity_provider.token = ""  # the fixture would replace an empty one
    assert await status("version", {}) == 200
    assert await status("version", {"Origin": FOREIGN}) == 404
    assert not await opens("gpuperf/live", {"Origin": FOREIGN})
