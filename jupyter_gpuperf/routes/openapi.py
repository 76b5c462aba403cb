"""``GET openapi.json``: all routes in OpenAPI 3.1, generated from their declarations."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from jupyter_gpuperf.routes.base import GpuPerfHandler
from jupyter_gpuperf.routes.operation import Operation, Query, operation, operations_of
from jupyter_gpuperf.schemas import API_VERSION, ErrorInfo, Follow, LiveMessage, SetInterval
from jupyter_gpuperf.server.threads import in_thread
from jupyter_gpuperf.version import package_version

if TYPE_CHECKING:
    from jupyter_gpuperf.server.services import Services

JSON: Final = "application/json"
ERROR: Final = "An error: what happened, and what to do."
TOKEN: Final = {
    "type": "apiKey",
    "in": "header",
    "name": "Authorization",
    "description": "The word token, a space, and the server's token.",
}
GROUP: Final = re.compile(r"\(\?P<(\w+)>(.*?)\)")


class OpenApiHandler(GpuPerfHandler):
    """``GET openapi.json``."""

    def initialize(  # type: ignore[override]  # one more argument than other routes
        self, services: Callable[[], Services], routes: Iterable[tuple[str, type]]
    ) -> None:
        """Store the services and the routes."""
        super().initialize(services)
        self.routes = routes

    @operation(JSON)
    async def get(self) -> None:
        """All routes with their queries, bodies and answers, as OpenAPI 3.1."""
        document = await in_thread(lambda: document_of(self.routes))
        self.set_header("Content-Type", JSON)
        self.finish(msgspec.json.encode(document))


def document_of(routes: Iterable[tuple[str, type]]) -> dict[str, Any]:
    """Return the OpenAPI document of ``routes``: patterns with named groups, and their handlers."""
    paths: dict[str, dict[str, Any]] = {}
    for pattern, handler in routes:
        for method, each in operations_of(handler).items():
            paths.setdefault(path_of(pattern), {})[method] = _described(pattern, method, each)
    _, schemas = msgspec.json.schema_components(
        shapes_of(routes), ref_template="#/components/schemas/{name}"
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "jupyter_gpuperf",
            "version": package_version(),
            "description": f"Version {API_VERSION} of the API, below <base_url>gpuperf. "
            "The live socket's messages are LiveMessage's kinds and SetInterval.",
        },
        "servers": [{"url": "/gpuperf"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"token": TOKEN}},
    }


def shapes_of(routes: Iterable[tuple[str, type]]) -> list[Any]:
    """Return the types of everything that crosses the wire, including the live socket's messages."""
    declared = [each for _, handler in routes for each in operations_of(handler).values()]
    shapes = [shape for each in declared for shape in (each.answers, each.takes)]
    structs = [each for each in shapes if isinstance(each, type)]
    return [*structs, ErrorInfo, SetInterval, Follow, LiveMessage]


def path_of(pattern: str) -> str:
    """Return a route's pattern in OpenAPI syntax: ``/jobs/{job_id}``."""
    return "/" + GROUP.sub(r"{\1}", pattern).replace("\\", "")


def _described(pattern: str, method: str, declared: Operation) -> dict[str, Any]:
    parts = [method, *re.findall(r"[a-z]+", path_of(pattern).replace("json", ""))]
    content = {} if declared.status == 101 else {"content": _content(declared.answers)}
    described: dict[str, Any] = {
        "operationId": "_".join(parts),
        "summary": declared.description,
        "responses": {
            str(declared.status): {"description": declared.description, **content},
            "default": {"description": ERROR, "content": _content(ErrorInfo)},
        },
    }
    parameters: list[dict[str, Any]] = []
    for name, allowed in GROUP.findall(pattern):
        schema = {"type": "string", "pattern": f"^{allowed}$"}
        parameters.append({"name": name, "in": "path", "required": True, "schema": schema})
    parameters += [_parameter(each) for each in declared.query]
    if parameters:
        described["parameters"] = parameters
    if declared.takes is not None:
        described["requestBody"] = {
            "required": not declared.optional_body,
            "content": _content(declared.takes),
        }
    return described


def _content(shape: type | str) -> dict[str, Any]:
    if isinstance(shape, str):
        return {shape: {}}
    return {JSON: {"schema": {"$ref": f"#/components/schemas/{shape.__name__}"}}}


def _parameter(query: Query) -> dict[str, Any]:
    schema = {"type": query.kind, "default": query.default}
    schema |= {"minimum": query.minimum, "maximum": query.maximum}
    known = {key: value for key, value in schema.items() if value is not None}
    return {"name": query.name, "in": "query", "description": query.help, "schema": known}
