"""How the services use FastAPI: its own errors in the one form of failures that clients receive, and its routes.

No text of a failure contains the client's input.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from roomwire.errors import ClientError, Internal, InvalidBody, NotFound, TooLarge
from roomwire.serving.web.failures import answer

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
# pydantic's error types in our words.
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


def install(app: FastAPI) -> None:
    """Answer the framework's own errors in our form."""
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(HTTPException, _answer_http)


def add_routes(app: FastAPI, router: APIRouter) -> None:
    """Serve the routes of a router as they are.

    `include_router` makes each of them again, with the models of its parameters and answers, and looks for a request's
    route in the copies; it would add nothing, because no application has dependencies or responses of its own.
    """
    app.router.routes.extend(router.routes)


def operation_id(route: APIRoute) -> str:
    """Return the id of an operation in the OpenAPI schema: the name of the function. Routers take this function."""
    return route.name


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
