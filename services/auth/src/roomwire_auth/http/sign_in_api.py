"""Routes to register, sign in, refresh, sign out and get the public keys. This module handles HTTP; `sign_in` does the work."""

from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Body, Depends, Response

from roomwire.errors import Forbidden, Unauthenticated
from roomwire.serving.web.bodies import refusals
from roomwire.serving.web.framework import operation_id
from roomwire_auth.errors import TooManyAttempts, UsernameTaken
from roomwire_auth.http.bodies import Guest, Jwk, Jwks, Login, Refresh, Registration, TokenAnswer, UserAnswer
from roomwire_auth.http.routes import PREFIX, address_of
from roomwire_auth.keys.keys import Keys
from roomwire_auth.sessions.sign_in import Grant, SignIn

# Gateways fetch the keys as often (`roomwire.identity.jwks.JwksClient`, max_age_s).
JWKS_MAX_AGE_S: Final = 300


def token_routes(sign_in: SignIn, *, access_ttl_s: int) -> APIRouter:
    """Return the routes that register users, sign them in, refresh their tokens and sign them out.

    Args:
        sign_in: Does the work.
        access_ttl_s: Lifetime of an access token, as the answers state it.

    """
    router = APIRouter(prefix=PREFIX, tags=["tokens"], generate_unique_id_function=operation_id)

    address = Depends(address_of)

    def granted(grant: Grant) -> TokenAnswer:
        return TokenAnswer(
            access_token=grant.access_token,
            expires_in=access_ttl_s,
            refresh_token=grant.refresh_token,
            user=UserAnswer.model_validate(grant.user, from_attributes=True),
        )

    @router.post(
        "/register", status_code=HTTPStatus.CREATED, responses=refusals(UsernameTaken, TooManyAttempts)
    )
    async def register(body: Registration, address: str = address) -> TokenAnswer:
        """Create an account and sign it in."""
        return granted(
            await sign_in.register(body.username, body.password.get_secret_value(), address=address)
        )

    @router.post("/login", responses=refusals(Unauthenticated, TooManyAttempts))
    async def login(body: Login, address: str = address) -> TokenAnswer:
        """Sign an account in."""
        return granted(await sign_in.login(body.username, body.password.get_secret_value(), address=address))

    @router.post("/guest", responses=refusals(Forbidden, TooManyAttempts))
    async def guest(body: Annotated[Guest | None, Body()] = None, address: str = address) -> TokenAnswer:
        """Sign in without an account."""
        return granted(await sign_in.enter_as_guest(body.name if body else None, address=address))

    @router.post("/refresh", responses=refusals(Unauthenticated, Forbidden, TooManyAttempts))
    async def refresh(body: Refresh, address: str = address) -> TokenAnswer:
        """Exchange a refresh token for new tokens; a used token that arrives late ends the session."""
        return granted(await sign_in.refresh(body.refresh_token.get_secret_value(), address=address))

    @router.post("/logout", status_code=HTTPStatus.NO_CONTENT, responses=refusals())
    async def logout(body: Refresh, address: str = address) -> None:
        """End the session of a refresh token; idempotent."""
        await sign_in.logout(body.refresh_token.get_secret_value(), address=address)

    return router


def key_routes(keys: Keys) -> APIRouter:
    """Return the route of the public keys."""
    router = APIRouter(prefix=PREFIX, tags=["keys"], generate_unique_id_function=operation_id)

    @router.get("/.well-known/jwks.json")
    async def jwks(response: Response) -> Jwks:
        """Return the keys that verify access tokens."""
        response.headers["Cache-Control"] = f"public, max-age={JWKS_MAX_AGE_S}"
        return Jwks(keys=[Jwk.model_validate(dict(key.public_jwk())) for key in keys.published()])

    return router
