"""Signs users in, keeps them signed in, and signs them out, without HTTP.

It combines accounts, passwords, sessions and access tokens.
"""

import uuid

import msgspec

from roomwire.errors import Unauthenticated, Unavailable
from roomwire.identity.tokens import User
from roomwire.logs import get_logger
from roomwire_auth import audit
from roomwire_auth.accounts.accounts import Account, Accounts
from roomwire_auth.accounts.passwords import Passwords
from roomwire_auth.accounts.throttle import Throttle
from roomwire_auth.audit import Event
from roomwire_auth.errors import AccountChanged, GuestsRefused, RefreshTokenReused, WrongLogin
from roomwire_auth.keys.access_tokens import AccessTokens
from roomwire_auth.metrics import Metrics
from roomwire_auth.sessions.sessions import Sessions, session_of

_log = get_logger(__name__)


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What a user gets at sign-in: an access token for now, a refresh token for later."""

    user: User
    access_token: str
    refresh_token: str

    def __repr__(self) -> str:
        return f"Grant(user={self.user!r})"


class SignIn:
    """Signs users in, refreshes their tokens, and signs them out. All methods may raise `Unavailable`.

    A method with the parameter `address`, which is the client's address, may raise `TooManyAttempts`.

    Args:
        accounts: The accounts.
        passwords: Hashes and checks passwords.
        sessions: Issues refresh tokens.
        access_tokens: Issues access tokens.
        throttle: Decides when an address has to wait.
        guests: Whether users may sign in without an account.
        metrics: Counts reused and repeated tokens.

    """

    def __init__(
        self,
        *,
        accounts: Accounts,
        passwords: Passwords,
        sessions: Sessions,
        access_tokens: AccessTokens,
        throttle: Throttle,
        guests: bool,
        metrics: Metrics,
    ) -> None:
        self._accounts = accounts
        self._passwords = passwords
        self._sessions = sessions
        self._access_tokens = access_tokens
        self._throttle = throttle
        self._guests = guests
        self._metrics = metrics

    async def register(self, username: str, password: str, *, address: str) -> Grant:
        """Create an account and sign it in.

        Raises:
            UsernameTaken: An account with this name exists.

        """
        await self._throttle.begin_registration(address)
        account = await self._accounts.add(username, await self._passwords.hash(password))
        audit.record(Event.REGISTERED, user=account.id, address=address)
        return await self._admit(Event.LOGGED_IN, account.user(), address, account)

    async def login(self, username: str, password: str, *, address: str) -> Grant:
        """Sign an account in. A hash that was made with other parameters than the present ones is replaced.

        Raises:
            Unauthenticated: The account does not exist, or the password is wrong; neither the answer nor its cost tells which.

        """
        attempt = await self._throttle.begin_login(username, address)
        try:
            account = await self._accounts.find(username)
            known_hash = account.password_hash if account else None
            matches = await self._passwords.verify(known_hash, password)
        except Unavailable:
            await self._throttle.give_back(attempt)
            raise
        if account is None or not matches:
            audit.record(Event.LOGIN_REFUSED, user=account.id if account else None, address=address)
            raise WrongLogin
        await self._throttle.succeed(attempt)
        if self._passwords.is_outdated(account.password_hash):
            await self._rehash(account, password)
        try:
            return await self._admit(Event.LOGGED_IN, account.user(), address, account)
        except AccountChanged:
            audit.record(Event.LOGIN_REFUSED, user=account.id, address=address)
            raise

    async def enter_as_guest(self, name: str | None, *, address: str) -> Grant:
        """Sign in a new guest; the default name is `guest-` and six hex digits.

        Raises:
            Forbidden: Guests are not admitted.

        """
        if not self._guests:
            raise GuestsRefused
        await self._throttle.begin_guest(address)
        id_ = uuid.uuid4().hex
        user = User(id=f"guest:{id_}", name=name or f"guest-{id_[:6]}", kind="guest")
        return await self._admit(Event.GUEST_ENTERED, user, address)

    async def refresh(self, refresh_token: str, *, address: str) -> Grant:
        """Exchange a refresh token for new tokens. A valid one is never throttled.

        Raises:
            Unauthenticated: The token is invalid. If it had been used before, and its grace period is over, its session
                has been ended.
            Forbidden: The token is a guest's, and guests are no longer admitted.

        """
        try:
            rotation = await self._sessions.rotate(refresh_token)
        except RefreshTokenReused as error:
            self._metrics.refresh_reuses.inc()
            session = session_of(refresh_token)
            audit.record(Event.TOKEN_REUSED, user=error.user_id, session=session, address=address)
            await self._throttle.refresh_failed(address)
            raise
        except Unauthenticated:
            await self._throttle.refresh_failed(address)
            raise
        user, session = rotation.user, session_of(rotation.token)
        if rotation.repeated:
            self._metrics.refresh_repeats.inc()
            audit.record(Event.TOKEN_REPEATED, user=user.id, session=session, address=address)
        if user.kind == "guest" and not self._guests:
            await self._sessions.end(rotation.token)
            audit.record(Event.SESSION_ENDED, user=user.id, session=session, by=session, address=address)
            raise GuestsRefused
        token = self._access_tokens.issue(user, session=session, issue_from=rotation.issue_from)
        return Grant(user=user, access_token=token, refresh_token=rotation.token)

    async def logout(self, refresh_token: str, *, address: str) -> None:
        """End the session of a refresh token, if there is one."""
        user_id = await self._sessions.end(refresh_token)
        if user_id is not None:
            session = session_of(refresh_token)
            audit.record(Event.LOGGED_OUT, user=user_id, session=session, address=address)

    async def _admit(self, event: Event, user: User, address: str, account: Account | None = None) -> Grant:
        opened = await self._sessions.open(user, account)
        session = session_of(opened.token)
        for displaced in opened.displaced:
            audit.record(Event.SESSION_DISPLACED, user=user.id, session=displaced, address=address)
        audit.record(event, user=user.id, session=session, address=address)
        token = self._access_tokens.issue(user, session=session, issue_from=opened.issue_from)
        return Grant(user=user, access_token=token, refresh_token=opened.token)

    async def _rehash(self, account: Account, password: str) -> None:
        try:
            await self._accounts.replace_hash(account, await self._passwords.hash(password))
        except Unavailable as error:
            # The next login tries again, so this one is not refused.
            _log.warning("password not hashed anew", user=account.id, error=error.message)
