"""The login of the admin UI: a name and a password, whose hash the settings have, or a session that a login has begun.

A session is a text that any gateway with the same settings can check: until when it holds, a random part, and their HMAC under a key
that only the hash yields. Another password ends all sessions. This is the only module of the library that imports argon2.
"""

import asyncio
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Final

from argon2 import PasswordHasher, Type, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError

from roomwire.app.admin.attempts import Attempts
from roomwire.app.audit import recorded
from roomwire.errors import ConfigurationError, Unauthenticated
from roomwire.identity.capabilities import EVERYWHERE, Capabilities
from roomwire.identity.tokens import User
from roomwire.logs import get_logger
from roomwire.rooms.handshake import Authenticate, Handshake

NAMESPACE: Final = "/admin"
SESSION_S: Final = 8 * 3_600
MAX_CHARACTERS: Final = 1_024
MAX_MEMORY_KIB: Final = 256 * 1_024
MAX_TIME_COST: Final = 16
_MAY: Final = Capabilities(((EVERYWHERE, frozenset({"admin"})),))

_log = get_logger("gateway.admin.audit")


class InvalidCredentials(Unauthenticated):
    """The name or the password is wrong, or the session has ended. The UI asks for both again when it reads this sentence."""

    default_message = "invalid credentials"


class Login:
    """Decides about the connections to `NAMESPACE`. Tokens are not accepted there, and the login is not accepted elsewhere.

    Args:
        name: The name.
        password_hash: The password's hash, as argon2 encodes it.
        clock: Monotonic seconds, for the limits of logins.
        wall_clock: Seconds since 1970, for the ends of sessions.

    Raises:
        ConfigurationError: The hash is no hash of Argon2id, or costs more than a login may.

    """

    def __init__(
        self,
        name: str,
        password_hash: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        _check(password_hash)
        self._name = name
        self._hash = password_hash
        self._key = hashlib.sha256(f"admin session\0{name}\0{password_hash}".encode()).digest()
        self._hasher = PasswordHasher()
        # One at a time: each needs a thread and the memory that the hash names.
        self._one = asyncio.Semaphore(1)
        self._attempts = Attempts(clock=clock)
        self._wall_clock = wall_clock

    def before(self, others: Authenticate) -> Authenticate:
        """Return a function that decides about connections to `NAMESPACE`, and leaves all others to another."""

        async def authenticate(handshake: Handshake) -> User:
            if handshake.namespace == NAMESPACE:
                return await self._admitted(handshake)
            return await others(handshake)

        return authenticate

    def session_of(self, auth: object) -> float:
        """Return the end of the session in the `auth` payload, in seconds since 1970; 0.0 if there is no valid one."""
        given = _text(auth, "sessionId")
        ends_at, _, rest = given.partition(".")
        is_ours = hmac.compare_digest(self._signed(ends_at, rest.partition(".")[0]).encode(), given.encode())
        if not is_ours or not ends_at.isdecimal() or int(ends_at) <= self._wall_clock():
            return 0.0
        return float(ends_at)

    def new_session(self, ends_at: float) -> str:
        """Return a new session that ends at a time, in seconds since 1970."""
        return self._signed(str(int(ends_at)), secrets.token_urlsafe(16))

    def _signed(self, ends_at: str, random: str) -> str:
        about = f"{ends_at}.{random}"
        return f"{about}.{hmac.new(self._key, about.encode(), hashlib.sha256).hexdigest()}"

    async def _admitted(self, handshake: Handshake) -> User:
        """Return the admin; write a line of the audit unless a session goes on."""
        ends_at = self.session_of(handshake.auth)
        if not ends_at:
            # What was entered as a name may be a password.
            with recorded(_log, "admin login", address=handshake.address):
                await self._check_password(handshake)
            ends_at = self._wall_clock() + SESSION_S
        return User(
            id=f"admin:{self._name}",
            name=self._name,
            kind="service",
            capabilities=_MAY,
            issued_at=self._wall_clock(),
            expires_at=ends_at,
        )

    async def _check_password(self, handshake: Handshake) -> None:
        """Check name and password at the same cost, whichever of them is wrong.

        Raises:
            InvalidCredentials: One of them is wrong.
            RateLimited: See `Attempts.begin`.

        """
        self._attempts.begin(handshake.address)
        name, password = _text(handshake.auth, "username"), _text(handshake.auth, "password")
        async with self._one:
            is_password = await asyncio.to_thread(self._matches, password)
        is_name = hmac.compare_digest(name.encode(), self._name.encode())
        if not (is_name and is_password):
            raise InvalidCredentials
        self._attempts.succeed(handshake.address)

    def _matches(self, password: str) -> bool:
        try:
            return self._hasher.verify(self._hash, password)
        except VerificationError:
            return False


def _check(password_hash: str) -> None:
    try:
        parameters = extract_parameters(password_hash)
    except InvalidHashError:
        raise ConfigurationError("ROOMWIRE_ADMIN_PASSWORD_HASH is not a hash of Argon2") from None
    if parameters.type is not Type.ID:
        raise ConfigurationError("ROOMWIRE_ADMIN_PASSWORD_HASH: use Argon2id")
    if parameters.memory_cost > MAX_MEMORY_KIB or parameters.time_cost > MAX_TIME_COST:
        raise ConfigurationError(
            f"ROOMWIRE_ADMIN_PASSWORD_HASH: a login may use {MAX_MEMORY_KIB} KiB of memory and {MAX_TIME_COST} passes"
        )


def _text(auth: object, field: str) -> str:
    """Return a field of the `auth` payload; empty if it is missing, no text, too long, or not valid Unicode."""
    value = auth.get(field) if isinstance(auth, Mapping) else None
    if not isinstance(value, str) or len(value) > MAX_CHARACTERS:
        return ""
    return value.encode("utf-8", "ignore").decode()
