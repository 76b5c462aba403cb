"""Shared by all routes: the authorization resource, encoding, and coded errors.

Importing the routes delays the start of the server, so they import slow modules only when called.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
from jupyter_server.base.handlers import APIHandler, JupyterHandler
from tornado.web import HTTPError

from jupyter_gpuperf.errors import BadRequest, GpuPerfError
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.schemas import ErrorInfo, encode
from jupyter_gpuperf.server.kernel_specs import KernelPython, python_of

if TYPE_CHECKING:
    from jupyter_gpuperf.server.services import Services

T = TypeVar("T")

AUTH_RESOURCE: Final = "gpuperf"


class CodedErrors(JupyterHandler):
    """Turns any exception in a route into ``{"code", "message", "hint"}`` with its status."""

    def initialize(self, services: Callable[[], Services]) -> None:
        """Store how to get the services: an error raised here would get no answer at all."""
        self._services = services

    @property
    def services(self) -> Services:
        """The services, which the first request may have to build."""
        return self._services()

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Send a coded error with its own status; Tornado would use 500."""
        super().send_error(getattr(_error_in(kwargs), "http_status", status_code), **kwargs)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Send every error as JSON of the same form; an unexpected one has a reference that is also in the log."""
        self.set_header("Content-Type", "application/json")
        self.finish(encode(self._describe(status_code, _error_in(kwargs))))

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Log only unexpected errors; a coded error needs no traceback."""
        if not isinstance(value, GpuPerfError):
            super().log_exception(typ, value, tb)

    def _describe(self, status_code: int, error: BaseException | None) -> ErrorInfo:
        if isinstance(error, GpuPerfError):
            return ErrorInfo(**error.to_dict())
        if isinstance(error, HTTPError):
            if status_code == 403 and NOT_AUTHORIZED in str(error.log_message):
                return FORBIDDEN_ERROR
            code, hint = HTTP_ERRORS.get(status_code, (f"http_{status_code}", ""))
            return ErrorInfo(code=code, message=str(error.log_message or self._reason), hint=hint)
        reference = uuid.uuid4().hex[:12]
        self.log.error("Unexpected error %s in %s", reference, self.request.path)
        return ErrorInfo(
            code="internal_error",
            message=Message("Server error (reference {reference}).", reference=reference),
            hint="The server log has the details under this reference. Please report it.",
        )


class GpuPerfHandler(CodedErrors, APIHandler):
    """Base of the REST routes: parses bodies, encodes answers, and finds a kernel's Python."""

    auth_resource = AUTH_RESOURCE
    # Viewing a GPU is not activity: an idle server with an open panel must still be culled.
    _track_activity = False

    def answer(self, body: msgspec.Struct, status: int = 200) -> None:
        """Send ``body`` as JSON and finish."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(encode(body))

    def body_as(self, shape: type[T]) -> T:
        """Decode and validate the body.

        Raises
        ------
        BadRequest
            ``malformed_json`` or ``invalid_request``.
        """
        try:
            return msgspec.json.decode(self.request.body, type=shape)
        except msgspec.ValidationError as error:
            hint = "Compare the body with the documented schema."
            raise BadRequest("invalid_request", "{error}.", hint, error=error) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            message, hint = "The body is not valid JSON: {error}.", "Send a JSON object."
            raise BadRequest("malformed_json", message, hint, error=error) from error

    async def kernel_python(self, kernel_name: str | None) -> KernelPython:
        """Return the Python of a kernel spec; for ``None``, that of the default kernel.

        Raises
        ------
        NotFound
            ``unknown_kernel``.
        """
        default = self.kernel_manager.default_kernel_name
        return await python_of(self.kernel_spec_manager, default, kernel_name)


def _error_in(kwargs: dict[str, Any]) -> BaseException | None:
    exc_info = kwargs.get("exc_info")
    return exc_info[1] if exc_info else None


NOT_AUTHORIZED: Final = "is not authorized"
"""Part of Jupyter's message when its authorizer refuses a logged-in user."""

FORBIDDEN_ERROR: Final = ErrorInfo(
    code="forbidden",
    message="Your account may not do this on this server.",
    hint='Ask the server\'s administrator: its authorizer controls access to the resource "gpuperf".',
)

HTTP_ERRORS: Final = {
    400: ("bad_request", ""),
    401: ("unauthorized", Message("Log in, or send the server's token.")),
    403: (
        "forbidden",
        Message("Log in or send the server's token; a POST from a page also needs an XSRF token."),
    ),
    404: ("not_found", ""),
    405: ("method_not_allowed", Message("See the documentation for the supported methods.")),
}
"""HTTP status → code and hint."""
