"""Converts every error, ours or the framework's, to the one form of failures that clients receive."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from roomwire.errors import ClientError, Internal, InvalidBody, NotFound, RateLimited, TooLarge
from roomwire.logs import get_logger

_MAX_FIELD_CHARS: Final = 64


class MethodNotAllowed(NotFound):
    """The path exists, but not for this method."""

    http_status = HTTPStatus.METHOD_NOT_ALLOWED
    default_message = "This path does not support the method."


_BY_STATUS: Final[Mapping[int, type[ClientError]]] = {
    HTTPStatus.BAD_REQUEST: InvalidBody,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.METHOD_NOT_ALLOWED: MethodNotAllowed,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: TooLarge,
}
# pydantic's error types in our words; no text contains the client's input.
_COMPLAINTS: Final[Mapping[str, str]] = {
    "missing": "this is required",
    "extra_forbidden": "this field is unknown",
    "string_type": "this must be a string",
    "string_unicode": "this is not valid text",
    "string_too_short": "use at least {min_length} characters",
    "string_too_long": "use at most {max_length} characters",
    "too_short": "use at least {min_length} characters",
    "too_long": "use at most {max_length} characters",
    "json_invalid": "this is not JSON",
    "model_attributes_type": "this must be a JSON object, sent as application/json",
    "value_error": "{error}",
}

_log = get_logger(__name__)


def answer(error: ClientError, headers: Mapping[str, str] | None = None) -> Response:
    """Return an error as an HTTP answer."""
    headers = dict(headers or {})
    if error.http_status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, RateLimited) and error.retry_after_s:
        headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, TooLarge):
        # The rest of the body will not be read: otherwise the server would read it to its end, if it has one.
        headers["Connection"] = "close"
    return JSONResponse(error.body(), status_code=error.http_status, headers=headers)


def install(app: FastAPI) -> None:
    """Answer the framework's own errors in our form."""
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(HTTPException, _answer_http)


class Guard:
    """ASGI middleware that converts exceptions of the application to answers; unexpected ones are logged."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        started = False

        async def send_and_note(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except ClientError as error:
            failure = error
        except Exception:
            _log.exception("request failed", method=scope.get("method"), path=scope.get("path"))
            failure = Internal()
        else:
            return
        if not started and scope["type"] == "http":
            await answer(failure)(scope, receive, send)


async def _answer_http(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.INTERNAL_SERVER_ERROR
    headers = error.headers if isinstance(error, HTTPException) else None
    return answer(_BY_STATUS.get(status, Internal)(), headers)


async def _answer_invalid(_: Request, error: Exception) -> Response:
    details = error.errors() if isinstance(error, RequestValidationError) else ()
    return answer(InvalidBody(_complaint(details[0]) if details else None))


def _complaint(detail: Mapping[str, Any]) -> str:
    """Return which field is invalid and why, but not its value."""
    names = [part for part in detail["loc"][1:] if isinstance(part, str)]
    field = ".".join(names)[:_MAX_FIELD_CHARS] or "body"
    reason = _COMPLAINTS.get(detail["type"], "this does not have the expected shape")
    return f"{field}: {reason.format_map(detail.get('ctx', {}))}."
