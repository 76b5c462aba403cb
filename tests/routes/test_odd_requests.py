"""Whatever a request holds, a route answers, soon, with what it promises or with a coded error: never 500.

    GPUPERF_REQUESTS=10000 pytest -p no:randomly tests/routes/test_odd_requests.py

is the long run: it prints requests, time, the server's memory and statuses for each route.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from itertools import product

import psutil
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from odd_requests import Caller, OddRequest, declared_requests, json_values, requests
from real_server import serving
from websocket import create_connection

REQUESTS = int(os.environ.get("GPUPERF_REQUESTS", "16"))
"""Requests per route and method; a tenth for the methods that a route does not have."""
IS_LONG = REQUESTS > 100
PATIENCE_SECONDS = 5.0 if IS_LONG else 60.0  # in the short run, others may use the machine
MOST_GROWTH_BYTES = 48 << 20
STARTED = ("jobs", "suites", "recordings")
"""Routes whose POST starts something, which is ended again."""


def generated(examples):
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return settings(max_examples=examples, database=None, suppress_health_check=checks)


@pytest.fixture(scope="module")
def server(tmp_path_factory, starved_recording):
    home = tmp_path_factory.mktemp("server")
    with serving(home, f"replay:{starved_recording}") as server:
        yield server


@pytest.fixture
def caller(server):
    caller = Caller(server.url, server.token, PATIENCE_SECONDS)
    yield caller
    caller.close()


@pytest.fixture
def statuses(server, request, capsys):
    """Count the statuses; print them with time and memory, and check that memory did not grow."""
    process = psutil.Process(server.process.pid)
    began, before, statuses = time.monotonic(), process.memory_info().rss, Counter()
    yield statuses
    after, seconds = process.memory_info().rss, time.monotonic() - began
    if IS_LONG:
        with capsys.disabled():
            print(
                f"\n{request.node.callspec.id if hasattr(request.node, 'callspec') else 'live'}: "
                f"{statuses.total()} in {seconds:.0f} s, {before / 2**20:.1f} → {after / 2**20:.1f} MiB, "
                f"{dict(sorted(statuses.items(), key=str))}",
                flush=True,
            )
    assert after - before < MOST_GROWTH_BYTES


@pytest.mark.parametrize(("pattern", "method"), declared_requests())
def test_a_route_answers_whatever_it_is_asked(caller, statuses, pattern, method):
    count = REQUESTS if method != "*" else max(16, REQUESTS // 10)

    @generated(count // 8)
    @given(requests(pattern, method), requests(pattern, method))
    def ask(one, other):
        # Generating is slow, so each part of one is combined with each part of the other.
        for target, headers, body in product(*zip(parts(one), parts(other), strict=True)):
            request = OddRequest(method=one.method, target=target, headers=headers, body=body)
            statuses[ask_one(caller, pattern, request)] += 1

    ask()


def parts(request):
    return request.target, request.headers, request.body


def ask_one(caller, pattern, request):
    """Return the status, if the answer is one that a client can use."""
    status, body = caller.call(request)
    if request.method == "HEAD" or status < 400:
        assert status < 500, request
        end_what_began(caller, pattern, request, status, body)
        return status
    answer = json.loads(body)
    assert status in (400, 403, 404, 405, 503), (request, status, answer)
    assert {"code", "message", "hint"} <= answer.keys(), (request, answer)
    assert answer["code"] != "internal_error", (request, answer)
    assert answer["message"], (request, answer)
    return status


def end_what_began(caller, pattern, request, status, body):
    if request.method == "POST" and pattern in STARTED and status in (201, 202):
        target = f"{pattern}/{json.loads(body)['id']}?discard=1".encode()
        end = OddRequest(method="DELETE", target=target, headers={}, body=b"")
        assert caller.call(end)[0] == 200


def test_the_live_socket_answers_each_odd_message_and_stays_open(server, statuses):
    address = f"{server.url.replace('http', 'ws')}gpuperf/live?interval_ms=60000"
    header = {"Authorization": f"token {server.token}"}
    socket = create_connection(address, header=header, timeout=PATIENCE_SECONDS)
    odd = (
        json_values()
        | st.fixed_dictionaries(
            {"type": st.sampled_from(["set_interval", "x"])},
            optional={"interval_ms": json_values(), "topics": json_values()},
        )
    ).map(lambda value: json.dumps(value).encode())

    @generated(REQUESTS)
    @given(odd | st.binary(max_size=40), st.booleans())
    @example(b"[" * 100_000, False)
    def say(message, binary):
        try:
            text = message.decode()
        except UnicodeDecodeError:
            binary = True
        socket.send_binary(message) if binary else socket.send(text)
        socket.send('{"type": "dance"}')  # is always answered with an error
        for _ in range(50):
            answer = json.loads(socket.recv())
            statuses[answer["type"]] += 1
            if answer["type"] == "error" and "dance" in answer["message"]:
                return
        raise AssertionError(message)

    try:
        say()
    finally:
        socket.close()
