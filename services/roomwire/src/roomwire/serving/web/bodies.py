"""The bodies of failures, as documented by every API."""

from typing import Any, Final, Literal

from pydantic import BaseModel, Field

from roomwire.errors import ClientError, Internal, InvalidBody, RateLimited, TooLarge, Unavailable

_RETRY_AFTER: Final = {
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}
}


class ErrorDetails(BaseModel):
    """The details of a failure."""

    code: Literal[
        "invalid_body",
        "unauthenticated",
        "forbidden",
        "rate_limited",
        "too_large",
        "unavailable",
        "not_found",
        "internal",
    ]
    message: str = Field(description="A sentence for human readers.")
    retryable: bool = Field(description="Whether trying again makes sense.")


class ErrorAnswer(BaseModel):
    """The body of every answer that is not a success."""

    error: ErrorDetails


def refusals(*errors: type[ClientError]) -> dict[int | str, dict[str, Any]]:
    """Describe the errors of a route for the schema, including the errors that any route has."""
    every: tuple[type[ClientError], ...] = (*errors, InvalidBody, TooLarge, Unavailable, Internal)
    return {
        int(error.http_status): {
            "model": ErrorAnswer,
            "description": f"`{error.code}`: {error.default_message}",
            **({"headers": _RETRY_AFTER} if issubclass(error, RateLimited) else {}),
        }
        for error in every
    }
