"""Sign-in sessions: families of refresh tokens, of which one at a time is valid. Gateways know a session only by the id in its access tokens.

A refresh token is 65 characters that mean nothing to its holder: 22 that stay the same for the family's life, and 43
(256 random bits) that change with every rotation. Redis has only SHA-256 digests of both. Because a family
remembers its one valid token, every other token of the family is a used one, however old; RFC 9700,
section 4.14.2, then requires that the whole family is revoked.

When reuse or a user ends a session, the gateways are notified in the same step (`roomwire.identity.revocations`): its access
tokens carry its id, and become invalid. The same steps (`scripts`) keep a set of each user's sessions, so that
sessions can be listed, ended, and limited in number.

But an answer can be lost, and two tabs can refresh at once: during a grace period, the last used token can be exchanged
again, for the same next token, so a family never has two valid ones. No token is stored for that:
the next token is an HMAC of the last under a nonce, and Redis forgets the nonce when the grace period ends or the next
token is used.
"""

import base64
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from redis.commands.core import AsyncScript

from roomwire.identity.tokens import User
from roomwire_auth.accounts.accounts import Account
from roomwire_auth.errors import AccountChanged, InvalidRefreshToken, RefreshTokenReused, TooManyGuests
from roomwire_auth.sessions import scripts
from roomwire_auth.sessions.scripts import CLOCKS_S, SESSION_CHARS
from roomwire_auth.store import Store

MAX_SESSIONS: Final = 100
"""Maximum number of sessions of a user, unless a setting says otherwise."""

_FAMILY_BYTES: Final = 16
_SECRET_BYTES: Final = 32
_FAMILY_CHARS: Final = 22
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{65}")
_SESSION: Final = re.compile(rf"[0-9a-f]{{{SESSION_CHARS}}}")


class Opened(msgspec.Struct, frozen=True):
    """A session that began.

    Attributes:
        token: Its first refresh token.
        issue_from: Earliest permitted issue time of the user's access tokens, in seconds since 1970; `0` permits any.
        displaced: The sessions that were ended because the user had too many.

    """

    token: str
    issue_from: int
    displaced: Sequence[str]

    def __repr__(self) -> str:
        return f"Opened(issue_from={self.issue_from}, displaced={self.displaced})"


class Rotation(msgspec.Struct, frozen=True):
    """The result of presenting a refresh token.

    Attributes:
        user: Its owner.
        token: The next refresh token.
        issue_from: See `Opened`.
        repeated: Whether the next token had been given out before.

    """

    user: User
    token: str
    issue_from: int = 0
    repeated: bool = False

    def __repr__(self) -> str:
        return f"Rotation(user={self.user!r}, repeated={self.repeated})"


class SessionInfo(msgspec.Struct, frozen=True):
    """A session as its user sees it.

    Attributes:
        id: The id that access tokens carry; it reveals nothing about the refresh tokens.
        created_at: When the session began, in seconds since 1970.
        last_used_at: When the session was last refreshed, in seconds since 1970.

    """

    id: str
    created_at: int
    last_used_at: int


class Sessions:
    """The sessions in Redis. All methods may raise `Unavailable`.

    Args:
        store: Holds the sessions.
        account_ttl_s: Lifetime of an account's session after its last rotation.
        guest_ttl_s: Lifetime of a guest's session after its last rotation.
        grace_s: Period in which the last used token is exchanged again for the same next one. Default: 0, which disables it.
        access_ttl_s: Maximum time by which an access token outlives its session where no process is notified of the end,
            including clock differences. Default: a day, which no access token outlives.
        max_sessions: Maximum number of sessions of a user; a further one ends the least recently used. Default:
            `MAX_SESSIONS`.
        guest_first_ttl_s: Lifetime of a guest's session until its first rotation. Default: `guest_ttl_s`.
        max_guests: Maximum number of guests' sessions at the same time. Default: 0, which disables the limit.
        guests_mark: The used part of Redis' memory limit from which no new guests are admitted. Default: none.

    """

    def __init__(
        self,
        store: Store,
        *,
        account_ttl_s: int,
        guest_ttl_s: int,
        grace_s: int = 0,
        access_ttl_s: int = 86_400 + CLOCKS_S,
        max_sessions: int = MAX_SESSIONS,
        guest_first_ttl_s: int | None = None,
        max_guests: int = 0,
        guests_mark: float = 1.0,
    ) -> None:
        self._store = store
        self._account_ttl_s = account_ttl_s
        self._guest_ttl_s = guest_ttl_s
        self._grace_s = grace_s
        self._access_ttl_s = access_ttl_s
        self._max_sessions = max_sessions
        self._guest_first_ttl_s = guest_ttl_s if guest_first_ttl_s is None else guest_first_ttl_s
        self._max_guests = max_guests
        self._guests_mark = guests_mark
        self._open = store.script(scripts.OPEN)
        self._rotate = store.script(scripts.ROTATE)
        self._end = store.script(scripts.END)
        self._list = store.script(scripts.LIST)
        self._end_named = store.script(scripts.END_NAMED)
        self._end_all = store.script(scripts.END_ALL)
        self._change_password = store.script(scripts.CHANGE_PASSWORD)
        self._delete_account = store.script(scripts.DELETE_ACCOUNT)

    async def open(self, user: User, account: Account | None = None) -> Opened:
        """Begin a session.

        Args:
            user: The session's user.
            account: The account whose password was checked. Default: none, for a guest.

        Raises:
            AccountChanged: The account's password has changed, or the account was deleted; no session began.
            TooManyGuests: There is the maximum number of guests, or Redis' memory is scarce.

        """
        token = _new_token(secrets.token_urlsafe(_FAMILY_BYTES))
        arguments: list[str | int] = [_family(token), _digest(token)]
        is_guest = user.kind == "guest"
        if is_guest and self._guests_mark < 1 and await self._store.used_part() >= self._guests_mark:
            raise TooManyGuests
        arguments += [self._guest_first_ttl_s if is_guest else self._account_ttl_s, int(time.time())]
        arguments += [user.id, user.name, user.kind, self._max_sessions, self._access_ttl_s]
        arguments += [account.key_name, account.password_changes] if account else ["", ""]
        arguments += [self._max_guests if is_guest else 0, self._guest_ttl_s]
        match await self._run(self._open, self._session(token), arguments):
            case [b"opened", cut, *displaced]:
                return Opened(token, int(cut), [session.decode() for session in displaced])
            case [b"full"]:
                raise TooManyGuests
            case _:
                raise AccountChanged

    async def rotate(self, token: str) -> Rotation:
        """Exchange a refresh token for the next.

        Calls with the same token within the grace period return the same next token, until that one is used; without a
        grace period at most one call succeeds. If the store does not answer, the token may or may not be used up.

        Raises:
            RefreshTokenReused: The token had been used before, outside a grace period; all tokens of the session
                are now invalid.
            Unauthenticated: It is not a refresh token, or its session has ended.

        """
        if not _TOKEN.fullmatch(token):
            raise InvalidRefreshToken
        nonce = secrets.token_urlsafe(_SECRET_BYTES)
        arguments: list[str | int] = [_family(token), _digest(token), _digest(_following(token, nonce))]
        arguments += [self._account_ttl_s, self._guest_ttl_s, nonce, self._grace_s, int(time.time())]
        arguments += [self._access_ttl_s]
        answer = await self._run(self._rotate, self._session(token), arguments)
        match [part.decode() for part in answer]:
            case ["rotated" | "repeated" as outcome, id_, name, kind, given, cut]:
                user = msgspec.convert({"id": id_, "name": name, "kind": kind}, User)
                return Rotation(user, _following(token, given), int(cut), outcome == "repeated")
            case ["reused", id_]:
                raise RefreshTokenReused(id_)
            case _:
                raise InvalidRefreshToken

    async def end(self, token: str) -> str | None:
        """End the session of a token, used or not; idempotent.

        Returns the id of the session's user; None if there was no session.
        """
        if not _TOKEN.fullmatch(token):
            return None
        id_ = await self._run(self._end, self._session(token), [_family(token), self._access_ttl_s])
        return id_.decode() if id_ else None

    async def of_user(self, user_id: str) -> Sequence[SessionInfo]:
        """Return the sessions of a user that have not ended, the most recently used first."""
        found = await self._run(self._list, self._index(user_id), [user_id])
        sessions = [
            SessionInfo(family.decode()[:SESSION_CHARS], int(created), int(used))
            for family, created, used in found
        ]
        return sorted(sessions, key=lambda session: (-session.last_used_at, -session.created_at, session.id))

    async def end_named(self, user_id: str, session: str) -> bool:
        """End the session with this id if it is the user's; returns whether it was."""
        if not _SESSION.fullmatch(session):
            return False
        return bool(
            await self._run(self._end_named, self._index(user_id), [user_id, session, self._access_ttl_s])
        )

    async def end_all(self, user_id: str) -> Sequence[str]:
        """End all sessions of a user and revoke all the tokens that the user has now; returns the sessions."""
        ended = await self._run(self._end_all, self._index(user_id), [user_id, self._access_ttl_s])
        return [session.decode() for session in ended]

    async def change_password(self, account: Account, password_hash: str, *, kept: str) -> Sequence[str]:
        """Replace an account's password hash and end its sessions in the same step; returns these sessions.

        Args:
            account: The account as it was when its present password was checked.
            password_hash: The new hash.
            kept: The session that continues.

        Raises:
            AccountChanged: The account's password has changed, or the account was deleted; nothing was done.

        """
        arguments: list[str | int] = [account.key_name, account.id, account.password_changes]
        arguments += [password_hash, kept, self._access_ttl_s]
        return _ended(await self._run(self._change_password, self._account(account), arguments))

    async def delete_account(self, account: Account) -> Sequence[str]:
        """Delete an account, end its sessions and revoke all its tokens in the same step; returns the sessions.

        Raises:
            AccountChanged: The account's password has changed, or the account was deleted; nothing was done.

        """
        arguments: list[str | int] = [account.key_name, account.id, account.password_changes]
        return _ended(
            await self._run(self._delete_account, self._account(account), [*arguments, self._access_ttl_s])
        )

    def _session(self, token: str) -> str:
        return self._store.key("session", _family(token))

    def _index(self, user_id: str) -> str:
        return self._store.key("sessions", user_id)

    def _account(self, account: Account) -> str:
        return self._store.key("account", account.key_name)

    async def _run(self, script: AsyncScript, about: str, arguments: Sequence[str | int]) -> Any:
        return await self._store.ask(script(keys=[self._store.revocations, about], args=arguments))


def session_of(token: str) -> str:
    """Return the id of a refresh token's session, as access tokens carry it; it reveals nothing about the token."""
    return _family(token)[:SESSION_CHARS]


def _ended(answer: Sequence[bytes]) -> Sequence[str]:
    if answer[0] != b"changed":
        raise AccountChanged
    return [session.decode() for session in answer[1:]]


def _new_token(family: str) -> str:
    return family + secrets.token_urlsafe(_SECRET_BYTES)


def _following(token: str, nonce: str) -> str:
    """Derive the next token: neither the last token nor the data in Redis alone suffices to compute it."""
    secret = hmac.digest(nonce.encode(), token.encode(), "sha256")
    return token[:_FAMILY_CHARS] + base64.urlsafe_b64encode(secret).rstrip(b"=").decode()


def _family(token: str) -> str:
    return _digest(token[:_FAMILY_CHARS])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
