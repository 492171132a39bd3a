"""Signing in: what each request of the API does, without HTTP.

Puts accounts, passwords, sessions and the signing key together, and writes the log lines about people: with
their ids, never with what they typed.
"""

import uuid
from typing import Final

import msgspec

from auth.accounts import Account, Accounts
from auth.errors import RefreshTokenReused
from auth.metrics import Metrics
from auth.passwords import Passwords
from auth.sessions import Sessions, session_of
from roomwire.capabilities import Policy
from roomwire.errors import Forbidden, Unauthenticated, Unavailable
from roomwire.logs import get_logger
from roomwire.tokens import SigningKey, User

NO_GUESTS: Final = "Guests are not let in here: sign in with an account."

_log = get_logger(__name__)


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What a user gets who is let in: an access token for now, a refresh token for later."""

    user: User
    access_token: str
    refresh_token: str

    def __repr__(self) -> str:
        return f"Grant(user={self.user!r})"


class AccessTokens:
    """Issues access tokens.

    Args:
        key: Signs them.
        issuer: Their `iss`.
        audience: Their `aud`.
        ttl_s: How long each is valid.
        policy: Says what is allowed with them.

    """

    def __init__(self, key: SigningKey, *, issuer: str, audience: str, ttl_s: int, policy: Policy) -> None:
        self._key = key
        self._issuer = issuer
        self._audience = audience
        self._ttl_s = ttl_s
        self._policy = policy

    def issue(self, user: User, *, session: str) -> str:
        """Return a new token that speaks for the user, for as long as the session lasts."""
        role = self._policy.role_of(user.id, is_guest=user.kind == "guest")
        able = msgspec.structs.replace(user, capabilities=self._policy.of_role(role), session=session)
        return self._key.sign(able, issuer=self._issuer, audience=self._audience, lifetime_s=self._ttl_s)


class SignIn:
    """Lets people in, keeps them in, lets them out. All methods may raise `Unavailable`.

    Args:
        accounts: Who is registered.
        passwords: Hashes and checks.
        sessions: Refresh tokens.
        access_tokens: Access tokens.
        guests: Whether one can come in without an account.
        metrics: Where reused and repeated tokens are counted.

    """

    def __init__(
        self,
        *,
        accounts: Accounts,
        passwords: Passwords,
        sessions: Sessions,
        access_tokens: AccessTokens,
        guests: bool,
        metrics: Metrics,
    ) -> None:
        self._accounts = accounts
        self._passwords = passwords
        self._sessions = sessions
        self._access_tokens = access_tokens
        self._guests = guests
        self._metrics = metrics

    async def register(self, username: str, password: str) -> Grant:
        """Make an account and sign it in.

        Raises:
            UsernameTaken: There is an account of this name.

        """
        account = await self._accounts.add(username, await self._passwords.hash(password))
        _log.info("account registered", user=account.id)
        return await self._admit(account.user())

    async def login(self, username: str, password: str) -> Grant:
        """Sign an account in. A hash that was made with other parameters than today's is made anew.

        Raises:
            Unauthenticated: No such account, or not its password: neither answer nor cost says which.

        """
        account = await self._accounts.find(username)
        known_hash = account.password_hash if account else None
        matches = await self._passwords.verify(known_hash, password)
        if account is None or not matches:
            _log.info("login refused", user=account.id if account else None)
            raise Unauthenticated("The user name or the password is wrong.")
        if self._passwords.is_outdated(account.password_hash):
            await self._rehash(account, password)
        _log.info("logged in", user=account.id)
        return await self._admit(account.user())

    async def enter_as_guest(self, name: str | None) -> Grant:
        """Sign in somebody new without an account; without a name it is `guest-` and six hex digits.

        Raises:
            Forbidden: Guests are not let in.

        """
        if not self._guests:
            raise Forbidden(NO_GUESTS)
        id_ = uuid.uuid4().hex
        user = User(id=f"guest:{id_}", name=name or f"guest-{id_[:6]}", kind="guest")
        grant = await self._admit(user)
        _log.info("guest entered", user=user.id)
        return grant

    async def refresh(self, refresh_token: str) -> Grant:
        """Exchange a refresh token for new tokens.

        Raises:
            Unauthenticated: It does not hold. If it had been used before, and its grace is over, its session
                has been ended.
            Forbidden: It is a guest's, and guests are not let in any more.

        """
        try:
            rotation = await self._sessions.rotate(refresh_token)
        except RefreshTokenReused as error:
            self._metrics.refresh_reuses.inc()
            _log.warning("refresh token reused", user=error.user_id)
            raise
        if rotation.repeated:
            self._metrics.refresh_repeats.inc()
            _log.info("refresh token repeated", user=rotation.user.id)
        if rotation.user.kind == "guest" and not self._guests:
            await self._sessions.end(rotation.token)
            raise Forbidden(NO_GUESTS)
        return Grant(
            user=rotation.user,
            access_token=self._access_tokens.issue(rotation.user, session=session_of(rotation.token)),
            refresh_token=rotation.token,
        )

    async def logout(self, refresh_token: str) -> None:
        """End the session that a refresh token belongs to, if there is one."""
        user_id = await self._sessions.end(refresh_token)
        if user_id is not None:
            _log.info("logged out", user=user_id)

    async def _admit(self, user: User) -> Grant:
        refresh_token = await self._sessions.open(user)
        access_token = self._access_tokens.issue(user, session=session_of(refresh_token))
        return Grant(user=user, access_token=access_token, refresh_token=refresh_token)

    async def _rehash(self, account: Account, password: str) -> None:
        try:
            await self._accounts.replace_hash(account, await self._passwords.hash(password))
        except Unavailable as error:
            # The next login tries again: no reason to refuse this one.
            _log.warning("password not hashed anew", user=account.id, error=error.message)
