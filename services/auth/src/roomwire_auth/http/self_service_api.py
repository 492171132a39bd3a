"""Routes with which signed-in users manage their account and sessions. This module handles HTTP; `self_service` does the work."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path

from roomwire.errors import Forbidden, NotFound, Unauthenticated
from roomwire.identity.tokens import MAX_SESSION_CHARS, User
from roomwire.serving.web.bodies import refusals
from roomwire.serving.web.framework import operation_id
from roomwire_auth.errors import TooManyAttempts
from roomwire_auth.http.bodies import AccountDeletion, PasswordChange, SessionAnswer, SessionsAnswer
from roomwire_auth.http.routes import PREFIX, CallerOf, address_of
from roomwire_auth.sessions.self_service import SelfService


def self_service_routes(self_service: SelfService, *, caller_of: CallerOf) -> APIRouter:
    """Return the routes by which users manage their account and their sessions.

    Args:
        self_service: Does the work.
        caller_of: Identifies the caller, and refuses requests without a valid token.

    """
    router = APIRouter(prefix=PREFIX, tags=["self-service"], generate_unique_id_function=operation_id)
    caller, address = Depends(caller_of), Depends(address_of)

    @router.post(
        "/password",
        status_code=HTTPStatus.NO_CONTENT,
        responses=refusals(Unauthenticated, Forbidden, TooManyAttempts),
    )
    async def change_password(body: PasswordChange, user: User = caller, address: str = address) -> None:
        """Change the password; all other sessions end."""
        current, new = body.current_password.get_secret_value(), body.new_password.get_secret_value()
        await self_service.change_password(user, current, new, address=address)

    @router.post(
        "/delete-account",
        status_code=HTTPStatus.NO_CONTENT,
        responses=refusals(Unauthenticated, Forbidden, TooManyAttempts),
    )
    async def delete_account(body: AccountDeletion, user: User = caller, address: str = address) -> None:
        """Permanently delete the account, its name and all its sessions."""
        await self_service.delete_account(user, body.password.get_secret_value(), address=address)

    @router.get("/sessions", responses=refusals(Unauthenticated, Forbidden))
    async def sessions(user: User = caller) -> SessionsAnswer:
        """List the sessions."""
        return SessionsAnswer(
            sessions=[
                SessionAnswer(
                    id=session.id,
                    created_at=datetime.fromtimestamp(session.created_at, UTC),
                    last_used_at=datetime.fromtimestamp(session.last_used_at, UTC),
                    is_present=session.id == user.session,
                )
                for session in await self_service.sessions(user)
            ]
        )

    @router.delete(
        "/sessions/{id}",
        status_code=HTTPStatus.NO_CONTENT,
        responses=refusals(Unauthenticated, Forbidden, NotFound),
    )
    async def end_session(
        session: Annotated[str, Path(alias="id", max_length=MAX_SESSION_CHARS)],
        user: User = caller,
        address: str = address,
    ) -> None:
        """End one of the sessions, the present one included."""
        await self_service.end_session(user, session, address=address)

    @router.post(
        "/logout-everywhere",
        status_code=HTTPStatus.NO_CONTENT,
        responses=refusals(Unauthenticated, Forbidden),
    )
    async def logout_everywhere(user: User = caller, address: str = address) -> None:
        """End all sessions, the present one included; all access tokens end with them."""
        await self_service.logout_everywhere(user, address=address)

    return router
