"""A real Jupyter server with the extension, on a replayed H100."""

from __future__ import annotations

import json

import pytest
from replayed_server import jp_server_config  # noqa: F401  (a fixture)
from tornado.httpclient import HTTPClientError


@pytest.fixture
def get(jp_fetch):
    async def get(*path, **params):
        response = await jp_fetch("gpuperf", *path, params=params)
        return json.loads(response.body)

    return get


@pytest.fixture
def refusal(jp_fetch):
    """Make a call that must be refused; return its status and body."""

    async def refusal(*path, **kwargs):
        with pytest.raises(HTTPClientError) as error:
            await jp_fetch("gpuperf", *path, **kwargs)
        return error.value.code, json.loads(error.value.response.body)

    return refusal
