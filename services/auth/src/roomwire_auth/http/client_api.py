"""The token endpoint of RFC 6749 for backends. This module handles HTTP; `client_tokens` does the work."""

from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from fastapi.security.http import HTTPBase

from roomwire.serving.web.bodies import refusals
from roomwire.serving.web.framework import operation_id
from roomwire_auth.clients.client_tokens import ClientTokens
from roomwire_auth.clients.oauth import FORM, MAX_FIELDS, Refused, read_token_request
from roomwire_auth.errors import TooManyAttempts
from roomwire_auth.http.bodies import ClientRefusal, ClientTokenAnswer
from roomwire_auth.http.routes import PREFIX, address_of

_FORM_FIELDS: Final = {
    "type": "object",
    "required": ["grant_type"],
    "properties": {
        "grant_type": {"type": "string", "enum": ["client_credentials"]},
        "client_id": {"type": "string", "description": "Required unless the Authorization header holds it."},
        "client_secret": {"type": "string", "format": "password", "description": "As client_id."},
        "scope": {"type": "string", "maxLength": 0, "description": "Scopes are not supported."},
    },
    # Each field may occur once; unknown ones are ignored.
    "additionalProperties": {"type": "string"},
    "maxProperties": MAX_FIELDS,
}
_SCHEMA: Final = {"requestBody": {"required": True, "content": {FORM: {"schema": _FORM_FIELDS}}}}


def _responses() -> dict[int | str, dict[str, object]]:
    """Describe the refusals: the standard's where it has one, otherwise those of every route."""
    ours = refusals(TooManyAttempts)
    del ours[HTTPStatus.UNPROCESSABLE_ENTITY]
    return ours | {
        int(status): {"model": ClientRefusal, "description": description}
        for status, description in (
            (HTTPStatus.BAD_REQUEST, "`invalid_request`, `unsupported_grant_type` or `invalid_scope`."),
            (HTTPStatus.UNAUTHORIZED, "`invalid_client`: the client is unknown, or the secret is wrong."),
        )
    }


def client_routes(client_tokens: ClientTokens, *, access_ttl_s: int) -> APIRouter:
    """Return the route that gives clients access tokens.

    Args:
        client_tokens: Issues the tokens.
        access_ttl_s: Lifetime of a token, as the answers state it.

    """
    router = APIRouter(prefix=PREFIX, tags=["clients"], generate_unique_id_function=operation_id)
    basic = HTTPBase(scheme="basic", scheme_name="client", description="Id and secret.", auto_error=False)

    @router.post(
        "/token",
        response_model=ClientTokenAnswer,
        responses=_responses(),
        openapi_extra=_SCHEMA,
        dependencies=[Depends(basic)],
    )
    async def token(request: Request, address: Annotated[str, Depends(address_of)]) -> Response:
        """Issue an access token to a client (RFC 6749, section 4.4). The id and secret are sent by Basic or in the form."""
        try:
            asked = read_token_request(
                await request.body(),
                content_type=request.headers.get("content-type", ""),
                authorization=request.headers.get("authorization", ""),
            )
            access_token = await client_tokens.issue(asked, address=address)
        except Refused as refused:
            # Section 5.2 requires the challenge if the client used the header; it does no harm otherwise.
            is_challenge = refused.http_status is HTTPStatus.UNAUTHORIZED
            headers = {"WWW-Authenticate": 'Basic realm="auth", charset="UTF-8"'} if is_challenge else None
            return JSONResponse(refused.body(), refused.http_status, headers=headers)
        answer = ClientTokenAnswer(access_token=access_token, expires_in=access_ttl_s)
        # Section 5.1 requires this header and Cache-Control, which every answer has.
        return JSONResponse(answer.model_dump(), headers={"Pragma": "no-cache"})

    return router
