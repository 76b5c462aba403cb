"""What ``GET openapi.json`` promises is what the routes do."""

from __future__ import annotations

import json

import jsonschema
import pytest
from openapi_spec_validator import validate

from jupyter_gpuperf.routes import ROUTES
from jupyter_gpuperf.routes.missing import MissingHandler
from jupyter_gpuperf.routes.openapi import document_of, path_of
from jupyter_gpuperf.routes.operation import operations_of

DOCUMENT = document_of(ROUTES)
PLAIN = [
    path
    for path, methods in DOCUMENT["paths"].items()
    if "{" not in path
    and not path.startswith("/memory")  # they need a kernel: test_memory.py
    and "application/json"
    in methods.get("get", {"responses": {}})["responses"].get("200", {}).get("content", {})
]


def test_the_document_is_valid_openapi():
    validate(DOCUMENT)


def test_every_route_with_every_method_is_in_it():
    for pattern, handler in ROUTES:
        if handler is MissingHandler:
            continue
        answered = {
            each.lower()
            for each in ("GET", "POST", "PUT", "DELETE")
            if each.lower() in vars(handler)
        }
        assert answered == set(operations_of(handler)), handler
        assert set(DOCUMENT["paths"][path_of(pattern)]) == answered


def test_every_operation_has_an_id_of_its_own():
    ids = [
        each["operationId"] for methods in DOCUMENT["paths"].values() for each in methods.values()
    ]
    assert len(ids) == len(set(ids))


async def test_the_server_hands_it_out(get):
    assert (await get("openapi.json"))["paths"].keys() == DOCUMENT["paths"].keys()


@pytest.mark.parametrize("path", PLAIN)
async def test_answers_have_the_shape_that_it_promises(get, path):
    answer = await get(path.lstrip("/"))
    content = DOCUMENT["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
    schema = {**content.get("schema", {}), "components": DOCUMENT["components"]}
    jsonschema.validate(json.loads(json.dumps(answer)), schema)


async def test_a_query_out_of_its_bounds_is_refused(refusal):
    parameters = DOCUMENT["paths"]["/history"]["get"]["parameters"]
    for each in parameters:
        if "maximum" in each["schema"]:
            beyond = str(each["schema"]["maximum"] + 1)
            status, answer = await refusal("history", params={each["name"]: beyond})
            assert (status, answer["code"]) == (400, "parameter_out_of_range")
