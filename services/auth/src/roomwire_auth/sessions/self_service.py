"""Lets users manage their own account and sessions, without HTTP.

The caller has presented an access token (`callers`); changes to the account require its password as well.
"""

from collections.abc import Awaitable, Callable, Sequence

from roomwire.errors import Forbidden, NotFound, Unavailable
from roomwire.identity.tokens import User
from roomwire_auth import audit
from roomwire_auth.accounts.accounts import Account, Accounts
from roomwire_auth.accounts.passwords import Passwords
from roomwire_auth.accounts.throttle import Throttle
from roomwire_auth.audit import Event
from roomwire_auth.errors import AccountChanged, WrongPassword
from roomwire_auth.sessions.sessions import SessionInfo, Sessions


class SelfService:
    """Lets users change their account and end their sessions. All methods may raise `Unavailable`.

    Args:
        accounts: The accounts.
        passwords: Hashes and checks passwords.
        sessions: The sessions.
        throttle: Decides when an address has to wait.

    """

    def __init__(
        self, *, accounts: Accounts, passwords: Passwords, sessions: Sessions, throttle: Throttle
    ) -> None:
        self._accounts = accounts
        self._passwords = passwords
        self._sessions = sessions
        self._throttle = throttle

    async def change_password(self, user: User, current: str, new: str, *, address: str) -> None:
        """Change an account's password; all its sessions end except the caller's.

        Raises:
            Forbidden: The caller is a guest, or the current password is wrong.
            TooManyAttempts: The account from this address, or the address, has failed too often; failed logins count too.

        """
        account = await self._checked(user, current, address)
        password_hash = await self._passwords.hash(new)
        ended = await self._unless_changed(
            lambda: self._sessions.change_password(account, password_hash, kept=user.session), user, address
        )
        audit.record(Event.PASSWORD_CHANGED, user=user.id, session=user.session, ended=ended, address=address)

    async def delete_account(self, user: User, password: str, *, address: str) -> None:
        """Delete an account: its name becomes free, its sessions end, its tokens are revoked.

        Raises:
            Forbidden: The caller is a guest, or the password is wrong.
            TooManyAttempts: As for `change_password`.

        """
        account = await self._checked(user, password, address)
        ended = await self._unless_changed(lambda: self._sessions.delete_account(account), user, address)
        audit.record(Event.ACCOUNT_DELETED, user=user.id, session=user.session, ended=ended, address=address)

    async def sessions(self, user: User) -> Sequence[SessionInfo]:
        """Return the caller's sessions, the most recently used first."""
        return await self._sessions.of_user(user.id)

    async def end_session(self, user: User, session: str, *, address: str) -> None:
        """End one of the caller's sessions, which may be the present one.

        Raises:
            NotFound: The caller has no session with this id.

        """
        if not await self._sessions.end_named(user.id, session):
            raise NotFound
        audit.record(Event.SESSION_ENDED, user=user.id, session=session, by=user.session, address=address)

    async def logout_everywhere(self, user: User, *, address: str) -> None:
        """End all of the caller's sessions, the present one included, and revoke all its access tokens."""
        ended = await self._sessions.end_all(user.id)
        audit.record(
            Event.LOGGED_OUT_EVERYWHERE, user=user.id, session=user.session, ended=ended, address=address
        )

    async def _checked(self, user: User, password: str, address: str) -> Account:
        """Return the caller's account after checking its password."""
        if user.kind != "account":
            raise Forbidden("A guest has no account.")
        attempt = await self._throttle.begin_login(user.name, address)
        try:
            account = await self._accounts.find(user.name)
            matches = await self._passwords.verify(account.password_hash if account else None, password)
        except Unavailable:
            await self._throttle.give_back(attempt)
            raise
        if account is None or account.id != user.id or not matches:
            self._refuse(user, address)
            raise WrongPassword
        await self._throttle.succeed(attempt)
        return account

    async def _unless_changed(
        self, change: Callable[[], Awaitable[Sequence[str]]], user: User, address: str
    ) -> Sequence[str]:
        """Change an account; raises `WrongPassword` if it has changed since its password was checked."""
        try:
            return await change()
        except AccountChanged:
            self._refuse(user, address)
            raise WrongPassword from None

    def _refuse(self, user: User, address: str) -> None:
        audit.record(Event.PASSWORD_REFUSED, user=user.id, session=user.session, address=address)
