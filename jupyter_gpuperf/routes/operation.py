"""What a route declares of one of its methods: its query, its body and its answer.

The declaration authenticates, parses and encodes, so the method takes values and returns a value; ``GET openapi.json``
and the page about REST are made of it.
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

KINDS: Final[Mapping[str, Callable[[str], Any]]] = {
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
        The method's name for it, where the query's own is none in Python.
    default
        What the method gets where the query has none.
    """

    name: str
    help: str
    kind: Literal["string", "number", "integer", "boolean"] = "string"
    default: str | float | bool | None = None
    minimum: float | None = None
    maximum: float | None = None
    argument: str = ""

    def read(self, handler: web.RequestHandler) -> Any:
        """Return the request's value.

        Raises
        ------
        BadRequest
            ``parameter_wrong_type`` or ``parameter_out_of_range``.
        """
        text = handler.get_query_argument(self.name, None)
        return self.default if text is None else self.parse(text)

    def parse(self, text: str) -> Any:
        """Return the value of a text, within bounds; see :meth:`read`."""
        try:
            value = KINDS[self.kind](text)
        except (ValueError, OverflowError) as error:
            raise BadRequest(
                "parameter_wrong_type", f"{self.name}={text!r} is not a number.", "Give a number."
            ) from error
        if self.minimum is None or self.maximum is None or self.minimum <= value <= self.maximum:
            return value
        hint = f"Give a number from {self.minimum:g} to {self.maximum:g}."
        raise BadRequest("parameter_out_of_range", f"{self.name}={value:g} is out of range.", hint)


def number(
    name: str,
    minimum: float,
    maximum: float,
    help: str,
    *,
    default: float | None = None,
    argument: str = "",
) -> Query:
    """Return an argument that is a number within bounds; an integer where the bounds are."""
    return Query(
        name=name,
        help=help,
        kind="integer" if isinstance(minimum, int) else "number",
        default=default,
        minimum=minimum,
        maximum=maximum,
        argument=argument,
    )


def flag(name: str, help: str) -> Query:
    """Return an argument that is on or off, and off where it is left out."""
    return Query(name=name, help=help, kind="boolean", default=False)


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One method of a route.

    Attributes
    ----------
    answers
        The shape of the answer, or its media type where it is no JSON.
    takes
        The shape of the body; ``None`` where there is none.
    optional_body
        Whether the body may be left out; the shape's defaults are taken then.
    """

    answers: type[msgspec.Struct] | str
    status: int = 200
    query: tuple[Query, ...] = ()
    takes: type[msgspec.Struct] | None = None
    optional_body: bool = False
    description: str = ""


def operation(
    answers: type[msgspec.Struct] | str,
    *query: Query,
    status: int = 200,
    takes: type[msgspec.Struct] | None = None,
    optional_body: bool = False,
) -> Callable[[Method], Method]:
    """Return a decorator for a handler's method, whose docstring says what it answers.

    The method gets the path's groups and the query's values by name, the body as ``request``. What it returns is the
    answer; ``None`` where it has answered by itself.
    """

    def declare(method: Method) -> Method:
        @functools.wraps(method)
        async def respond(handler: GpuPerfHandler, **path: str) -> None:
            values = {each.argument or each.name: each.read(handler) for each in query}
            if takes is not None:
                empty = optional_body and not handler.request.body
                values["request"] = takes() if empty else handler.body_as(takes)
            answer = method(handler, **path, **values)
            if inspect.isawaitable(answer):
                answer = await answer
            if answer is not None:
                handler.answer(answer, status)

        # In this order: who is it, and may they?
        guarded: Method = web.authenticated(authorized(respond))
        return declared_as(
            Operation(
                answers=answers,
                status=status,
                query=query,
                takes=takes,
                optional_body=optional_body,
                description=" ".join((method.__doc__ or "").split()),
            )
        )(guarded)

    return declare


def declared_as(declaration: Operation) -> Callable[[Method], Method]:
    """Return a decorator that only keeps the declaration, for a method that does everything itself."""

    def keep(method: Method) -> Method:
        method.operation = declaration  # type: ignore[attr-defined]  # a function's own attribute
        return method

    return keep


def operations_of(handler: type) -> dict[str, Operation]:
    """Return a handler's operations by their HTTP method, in lower case."""
    methods = ("get", "post", "put", "delete")
    found = {name: getattr(getattr(handler, name, None), "operation", None) for name in methods}
    return {name: each for name, each in found.items() if each is not None}
