"""Sessions: families of refresh tokens, of which one at a time is good.

A refresh token is 65 characters without meaning to its holder: 22 that are the family's for life, and 43
(256 random bits) that change with every rotation. Redis has SHA-256 digests of both only. Because a family
remembers its one good token, every other token of the family is a used one, however old: RFC 9700,
section 4.14.2, then wants the whole family revoked.

A session that is ended so, or by its user, is told to the gateways in the same step (`roomwire.revocations`): its access
tokens name it, and hold no longer.

But an answer can be lost, and two tabs can ask at once: for a grace of seconds the token that was used last is
exchanged again, for the same next token, so that a family never has two good ones. That takes no token at rest:
the next is an HMAC of the last under a nonce, and Redis forgets the nonce when the grace ends or the next is used.
"""

import base64
import hashlib
import hmac
import re
import secrets
from typing import Any, Final

import msgspec

from auth.errors import INVALID_REFRESH_TOKEN, RefreshTokenReused
from auth.store import Store
from roomwire.errors import Unauthenticated
from roomwire.revocations import MAX_REVOCATIONS
from roomwire.tokens import User

_FAMILY_BYTES: Final = 16
_SECRET_BYTES: Final = 32
_FAMILY_CHARS: Final = 22
_SESSION_CHARS: Final = 32
CLOCKS_S: Final = 60
"""How far the clocks of those who check tokens may differ from those of Redis."""
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{65}")

# KEYS family; ARGV time to live in seconds, then fields and values
_OPEN: Final = """
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('EXPIRE', KEYS[1], ARGV[1])
"""

_REVOKE: Final = f"""
local function revoke(key, session, for_s)
    redis.call('XADD', key, 'MAXLEN', '~', {MAX_REVOCATIONS}, '*', 'session', session, 'for_s', for_s)
    redis.call('EXPIRE', key, for_s)
end
"""

# KEYS family, its repeat, revocations; ARGV digest presented, digest of the next, times to live of accounts and guests
# in seconds, nonce of the next, grace in seconds, the session, how long its access tokens may last; it returns
# an outcome, with id, name, kind and nonce: {outcome, id, name, kind, nonce}
_ROTATE: Final = (
    _REVOKE
    + """
local good, id, name, kind = unpack(redis.call('HMGET', KEYS[1], 'good', 'id', 'name', 'kind'))
if not good then return {'unknown'} end
if good ~= ARGV[1] then
    local used, next, nonce = unpack(redis.call('HMGET', KEYS[2], 'used', 'next', 'nonce'))
    if used == ARGV[1] and next == good then return {'repeated', id, name, kind, nonce} end
    redis.call('DEL', KEYS[1], KEYS[2])
    revoke(KEYS[3], ARGV[7], ARGV[8])
    return {'reused', id}
end
redis.call('HSET', KEYS[1], 'good', ARGV[2])
redis.call('EXPIRE', KEYS[1], kind == 'guest' and ARGV[4] or ARGV[3])
redis.call('DEL', KEYS[2])
if tonumber(ARGV[6]) > 0 then
    redis.call('HSET', KEYS[2], 'used', ARGV[1], 'next', ARGV[2], 'nonce', ARGV[5])
    redis.call('EXPIRE', KEYS[2], ARGV[6])
end
return {'rotated', id, name, kind, ARGV[5]}
"""
)

# KEYS family, its repeat, revocations; ARGV the session, how long its access tokens may last; returns the user's id, or
# nothing if there was no such family
_END: Final = (
    _REVOKE
    + """
local id = redis.call('HGET', KEYS[1], 'id')
if not id then return id end
redis.call('DEL', KEYS[1], KEYS[2])
revoke(KEYS[3], ARGV[1], ARGV[2])
return id
"""
)


class Rotation(msgspec.Struct, frozen=True):
    """What became of a refresh token: the next one, whose it is, and whether it was given out before."""

    user: User
    token: str
    repeated: bool = False

    def __repr__(self) -> str:
        return f"Rotation(user={self.user!r}, repeated={self.repeated})"


class Sessions:
    """The sessions in Redis.

    Args:
        store: Where they are.
        account_ttl_s: How long an account's session lives after its last rotation.
        guest_ttl_s: The same of a guest's.
        grace_s: How long the token that was used last is exchanged again, for the same next one. Default: 0, never.
        access_ttl_s: How long an access token may outlive its session where nobody hears of the end, clocks that differ
            included. Default: a day, which no access token outlives.

    """

    def __init__(
        self,
        store: Store,
        *,
        account_ttl_s: int,
        guest_ttl_s: int,
        grace_s: int = 0,
        access_ttl_s: int = 86_400 + CLOCKS_S,
    ) -> None:
        self._store = store
        self._account_ttl_s = account_ttl_s
        self._guest_ttl_s = guest_ttl_s
        self._grace_s = grace_s
        self._access_ttl_s = access_ttl_s
        self._open = store.script(_OPEN)
        self._rotate = store.script(_ROTATE)
        self._end = store.script(_END)

    async def open(self, user: User) -> str:
        """Begin a session and return its first refresh token; raises `Unavailable`."""
        token = _new_token(secrets.token_urlsafe(_FAMILY_BYTES))
        ttl_s = self._guest_ttl_s if user.kind == "guest" else self._account_ttl_s
        arguments: list[str | int] = [ttl_s, "good", _digest(token)]
        arguments += ["id", user.id, "name", user.name, "kind", user.kind]
        await self._store.ask(self._open(keys=self._keys(token)[:1], args=arguments))
        return token

    async def rotate(self, token: str) -> Rotation:
        """Exchange a refresh token for the next.

        Calls with one token within the grace return the same next token, until that is used; without a grace at
        most one of them succeeds.

        Raises:
            RefreshTokenReused: It had been used before, and there is no grace for it; no token of the session
                holds any more.
            Unauthenticated: It is no refresh token, or its session has ended.
            Unavailable: The store does not answer; the token may or may not be used up.

        """
        if not _TOKEN.fullmatch(token):
            raise Unauthenticated(INVALID_REFRESH_TOKEN)
        nonce = secrets.token_urlsafe(_SECRET_BYTES)
        arguments: list[str | int] = [_digest(token), _digest(_following(token, nonce))]
        arguments += [self._account_ttl_s, self._guest_ttl_s, nonce, self._grace_s]
        arguments += [session_of(token), self._access_ttl_s]
        answer = await self._store.ask(self._rotate(keys=self._keys(token), args=arguments))
        match [part.decode() for part in answer]:
            case ["rotated" | "repeated" as outcome, id_, name, kind, given]:
                user = msgspec.convert({"id": id_, "name": name, "kind": kind}, User)
                return Rotation(user=user, token=_following(token, given), repeated=outcome == "repeated")
            case ["reused", id_]:
                raise RefreshTokenReused(id_)
            case _:
                raise Unauthenticated(INVALID_REFRESH_TOKEN)

    async def end(self, token: str) -> str | None:
        """End the session that a token belongs to, used or not; idempotent; raises `Unavailable`.

        Returns the id of the user whose session it was; None if there was none.
        """
        if not _TOKEN.fullmatch(token):
            return None
        id_: Any = await self._store.ask(
            self._end(keys=self._keys(token), args=[session_of(token), self._access_ttl_s])
        )
        return id_.decode() if id_ else None

    def _keys(self, token: str) -> list[str]:
        family = _digest(token[:_FAMILY_CHARS])
        return [
            self._store.key("session", family),
            self._store.key("repeat", family),
            self._store.revocations,
        ]


def session_of(token: str) -> str:
    """Return the session that a refresh token belongs to, as access tokens name it; it tells nothing of the token."""
    return _digest(token[:_FAMILY_CHARS])[:_SESSION_CHARS]


def _new_token(family: str) -> str:
    return family + secrets.token_urlsafe(_SECRET_BYTES)


def _following(token: str, nonce: str) -> str:
    """Derive the next token: neither the last one alone nor what Redis has is enough to know it."""
    secret = hmac.digest(nonce.encode(), token.encode(), "sha256")
    return token[:_FAMILY_CHARS] + base64.urlsafe_b64encode(secret).rstrip(b"=").decode()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
