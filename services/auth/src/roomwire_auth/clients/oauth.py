"""Parses a token request of RFC 6749, section 4.4, and builds the refusals of section 5.2.

This module is pure: bytes in, a request or a refusal out. It has no list of clients.
"""

import base64
import binascii
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final, Literal
from urllib.parse import parse_qsl, unquote_plus

import msgspec

MAX_FIELDS: Final = 32
MAX_SECRET_CHARS: Final = 256
WRONG_CLIENT: Final = "The client is not known, or its secret is wrong."
MALFORMED: Final = "The Authorization header does not hold valid Basic credentials."
FORM: Final = "application/x-www-form-urlencoded"

ErrorCode = Literal["invalid_request", "invalid_client", "unsupported_grant_type", "invalid_scope"]


class Refused(Exception):
    """A token request that is refused.

    Args:
        code: The `error` of section 5.2.
        description: The `error_description`: a sentence for the client's developer.

    """

    def __init__(self, code: ErrorCode, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description

    @property
    def http_status(self) -> HTTPStatus:
        """The status of the answer."""
        return HTTPStatus.UNAUTHORIZED if self.code == "invalid_client" else HTTPStatus.BAD_REQUEST

    def body(self) -> Mapping[str, str]:
        """Return the body of the answer."""
        return {"error": self.code, "error_description": self.description}


class TokenRequest(msgspec.Struct, frozen=True):
    """A request for a token: the client's id and secret."""

    client_id: str
    client_secret: str

    def __repr__(self) -> str:
        return f"TokenRequest(client_id={self.client_id!r})"


def read_token_request(body: bytes, *, content_type: str, authorization: str) -> TokenRequest:
    """Parse a request.

    Args:
        body: The form. Unknown fields and fields without a value are ignored.
        content_type: The header `Content-Type`.
        authorization: The header `Authorization`; empty if there is none.

    Raises:
        Refused: It is not a token request, or asks for something that is not supported.

    """
    fields = _fields(body, content_type)
    grant_type = fields.get("grant_type")
    if grant_type is None:
        raise Refused("invalid_request", "The grant_type is missing.")
    if grant_type != "client_credentials":
        raise Refused("unsupported_grant_type", "The only grant_type is client_credentials.")
    request = _credentials(fields, authorization)
    if "scope" in fields:
        raise Refused(
            "invalid_scope", "Scopes are not supported: a client's role determines its permissions."
        )
    return request


def _fields(body: bytes, content_type: str) -> Mapping[str, str]:
    if content_type.partition(";")[0].strip().lower() != FORM:
        raise Refused("invalid_request", f"The body must be a form, sent as {FORM}.")
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS
        )
    except ValueError:
        raise Refused("invalid_request", "The body is not a form in UTF-8, or has too many fields.") from None
    names = [name for name, _ in pairs]
    if len({*names}) < len(names):
        raise Refused("invalid_request", "A field occurs twice.")
    return {name: value for name, value in pairs if value}


def _credentials(fields: Mapping[str, str], authorization: str) -> TokenRequest:
    client_id, secret = fields.get("client_id"), fields.get("client_secret")
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() == "basic":
        if secret is not None:
            raise Refused("invalid_request", "The header and the body both hold a secret: send it once.")
        request = _basic(encoded.strip())
        if client_id not in {None, request.client_id}:
            raise Refused("invalid_request", "The client_id in the body differs from the one in the header.")
        return request
    if client_id is None or secret is None:
        raise Refused("invalid_client", "A client_id with its client_secret is required.")
    return _checked(client_id, secret)


def _basic(encoded: str) -> TokenRequest:
    """Read the credentials of RFC 7617; section 2.3.1 requires form encoding for both parts."""
    try:
        text = base64.b64decode(encoded, validate=True).decode()
        client_id, colon, secret = text.partition(":")
        client_id, secret = (unquote_plus(part, errors="strict") for part in (client_id, secret))
    except (binascii.Error, ValueError):
        raise Refused("invalid_client", MALFORMED) from None
    if not colon:
        raise Refused("invalid_client", MALFORMED)
    return _checked(client_id, secret)


def _checked(client_id: str, secret: str) -> TokenRequest:
    if max(len(client_id), len(secret)) > MAX_SECRET_CHARS:
        raise Refused("invalid_client", WRONG_CLIENT)
    return TokenRequest(client_id, secret)
