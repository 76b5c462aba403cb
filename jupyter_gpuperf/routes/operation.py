"""Declare an HTTP method of a route: its query, its body and its answer.

The decorator authenticates, parses and encodes, so the method takes values and returns a value. ``GET openapi.json``
and the documentation of the REST API are generated from the declarations.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_gpuperf.errors import BadRequest

if TYPE_CHECKING:
    from jupyter_gpuperf.routes.base import GpuPerfHandler

Method = Callable[..., Any]

PARSERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "string": str,
    "number": float,
    "integer": lambda text: int(float(text)),
    "boolean": lambda text: text.lower() not in ("", "0", "false"),
}


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """One query argument.

    Attributes
    ----------
    argument
        Name of the method's parameter, if ``name`` is not a valid identifier in Python.
    default
        Value for a request without this argument.
    """

    name: str
    help: str
    kind: Literal["string", "number", "integer", "boolean"] = "string"
    default: str | float | bool | None = None
    minimum: float | None = None
    maximum: float | None = None
    argument: str = ""

    def read(self, handler: web.RequestHandler) -> Any:
        """Return the value in the request.

        Raises
        ------
        BadRequest
            ``parameter_wrong_type`` or ``parameter_out_of_range``.
        """
        text = handler.get_query_argument(self.name, None)
        return self.default if text is None else self.parse(text)

    def parse(self, text: str) -> Any:
        """Convert text to a value, and check the bounds. Raises as :meth:`read` does."""
        try:
            value = PARSERS[self.kind](text)
        except (ValueError, OverflowError) as error:
            message, hint = "{name}={text!r} is not a number.", "Enter a number."
            raise BadRequest(
                "parameter_wrong_type", message, hint, name=self.name, text=text
            ) from error
        if self.minimum is None or self.maximum is None or self.minimum <= value <= self.maximum:
            return value
        raise BadRequest(
            "parameter_out_of_range",
            "{name}={value:g} is out of range.",
            "Enter a number from {minimum:g} to {maximum:g}.",
            name=self.name,
            value=value,
            minimum=self.minimum,
            maximum=self.maximum,
        )


def number(name: str, minimum: float, maximum: float, help: str, **options: Any) -> Query:
    """Declare a numeric query argument with bounds; it is an integer if the bounds are integers."""
    kind: Literal["integer", "number"] = "integer" if isinstance(minimum, int) else "number"
    return Query(name=name, help=help, kind=kind, minimum=minimum, maximum=maximum, **options)


def flag(name: str, help: str) -> Query:
    """Declare a boolean query argument that is false by default."""
    return Query(name=name, help=help, kind="boolean", default=False)


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One method of a route.

    Attributes
    ----------
    answers
        The type of the answer, or its media type if it is not JSON.
    takes
        The type of the body; ``None`` if there is none.
    optional_body
        Whether the body may be omitted; the type's defaults are used then.
    action
        What the user must be allowed to do; by default what Jupyter derives from the method.
    """

    answers: type[msgspec.Struct] | str
    status: int = 200
    query: tuple[Query, ...] = ()
    takes: type[msgspec.Struct] | None = None
    optional_body: bool = False
    action: Literal["execute"] | None = None
    description: str = ""


def operation(
    answers: type[msgspec.Struct] | str, *query: Query, **options: Any
) -> Callable[[Method], Method]:
    """Return a decorator for a handler's method, whose docstring describes the answer.

    ``options`` are the other fields of :class:`Operation`.

    The method gets the path's groups and the query's values as keyword arguments, and the body as ``request``. Its
    return value is the answer, or ``None`` if the method has sent the answer itself.
    """

    def declare(method: Method) -> Method:
        description = " ".join((method.__doc__ or "").split())
        declared = Operation(answers=answers, query=query, description=description, **options)

        @functools.wraps(method)
        async def respond(handler: GpuPerfHandler, **path: str) -> None:
            values = {each.argument or each.name: each.read(handler) for each in query}
            if (body := declared.takes) is not None:
                empty = declared.optional_body and not handler.request.body
                values["request"] = body() if empty else handler.body_as(body)
            answer = method(handler, **path, **values)
            if inspect.isawaitable(answer):
                answer = await answer
            if answer is not None:
                handler.answer(answer, declared.status)

        # In this order: authenticate, then authorize.
        return declared_as(declared)(web.authenticated(authorized(declared.action)(respond)))

    return declare


def declared_as(declaration: Operation) -> Callable[[Method], Method]:
    """Return a decorator that only stores the declaration, for a method that authenticates and parses itself."""

    def keep(method: Method) -> Method:
        method.operation = declaration  # type: ignore[attr-defined]  # sets an attribute on a function
        return method

    return keep


def operations_of(handler: type) -> dict[str, Operation]:
    """Return a handler's operations by HTTP method, in lower case."""
    methods = ("get", "post", "put", "delete")
    found = {name: getattr(getattr(handler, name, None), "operation", None) for name in methods}
    return {name: each for name, each in found.items() if each is not None}
