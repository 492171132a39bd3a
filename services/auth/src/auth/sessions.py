"""Sessions: families of refresh tokens, of which one at a time is good.

A refresh token is 65 characters without meaning to its holder: 22 that are the family's for life, and 43
(256 random bits) that change with every rotation. Redis has SHA-256 digests of both only. Because a family
remembers its one good token, every other token of the family is a used one, however old: RFC 9700,
section 4.14.2, then wants the whole family revoked.
"""

import hashlib
import re
import secrets
from typing import Any, Final

import msgspec

from auth.errors import INVALID_REFRESH_TOKEN, RefreshTokenReused
from auth.store import Store
from roomwire.errors import Unauthenticated
from roomwire.tokens import User

_FAMILY_BYTES: Final = 16
_SECRET_BYTES: Final = 32
_FAMILY_CHARS: Final = 22
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{65}")

# KEYS family; ARGV time to live in seconds, then fields and values
_OPEN: Final = """
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('EXPIRE', KEYS[1], ARGV[1])
"""

# KEYS family; ARGV digest presented, digest of the next, times to live of accounts and guests in seconds;
# returns {outcome, id, name, kind}
_ROTATE: Final = """
local good, id, name, kind = unpack(redis.call('HMGET', KEYS[1], 'good', 'id', 'name', 'kind'))
if not good then return {'unknown'} end
if good ~= ARGV[1] then
    redis.call('DEL', KEYS[1])
    return {'reused', id}
end
redis.call('HSET', KEYS[1], 'good', ARGV[2])
redis.call('EXPIRE', KEYS[1], kind == 'guest' and ARGV[4] or ARGV[3])
return {'rotated', id, name, kind}
"""

# KEYS family; returns the user's id, or nothing if there was no such family
_END: Final = """
local id = redis.call('HGET', KEYS[1], 'id')
redis.call('DEL', KEYS[1])
return id
"""


class Rotation(msgspec.Struct, frozen=True):
    """What became of a refresh token: the next one, and whose it is."""

    user: User
    token: str

    def __repr__(self) -> str:
        return f"Rotation(user={self.user!r})"


class Sessions:
    """The sessions in Redis.

    Args:
        store: Where they are.
        account_ttl_s: How long an account's session lives after its last rotation.
        guest_ttl_s: The same of a guest's.

    """

    def __init__(self, store: Store, *, account_ttl_s: int, guest_ttl_s: int) -> None:
        self._store = store
        self._account_ttl_s = account_ttl_s
        self._guest_ttl_s = guest_ttl_s
        self._open = store.script(_OPEN)
        self._rotate = store.script(_ROTATE)
        self._end = store.script(_END)

    async def open(self, user: User) -> str:
        """Begin a session and return its first refresh token; raises `Unavailable`."""
        token = _new_token(secrets.token_urlsafe(_FAMILY_BYTES))
        ttl_s = self._guest_ttl_s if user.kind == "guest" else self._account_ttl_s
        arguments: list[str | int] = [ttl_s, "good", _digest(token)]
        arguments += ["id", user.id, "name", user.name, "kind", user.kind]
        await self._store.ask(self._open(keys=[self._key(token)], args=arguments))
        return token

    async def rotate(self, token: str) -> Rotation:
        """Exchange a refresh token for the next. Of concurrent calls with one token at most one succeeds.

        Raises:
            RefreshTokenReused: It had been used before; no token of the session holds any more.
            Unauthenticated: It is no refresh token, or its session has ended.
            Unavailable: The store does not answer; the token may or may not be used up.

        """
        if not _TOKEN.fullmatch(token):
            raise Unauthenticated(INVALID_REFRESH_TOKEN)
        following = _new_token(token[:_FAMILY_CHARS])
        arguments: list[str | int] = [_digest(token), _digest(following)]
        arguments += [self._account_ttl_s, self._guest_ttl_s]
        answer = await self._store.ask(self._rotate(keys=[self._key(token)], args=arguments))
        match [part.decode() for part in answer]:
            case ["rotated", id_, name, kind]:
                fields = {"id": id_, "name": name, "kind": kind}
                return Rotation(user=msgspec.convert(fields, User), token=following)
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
        id_: Any = await self._store.ask(self._end(keys=[self._key(token)]))
        return id_.decode() if id_ else None

    def _key(self, token: str) -> str:
        return self._store.key("session", _digest(token[:_FAMILY_CHARS]))


def _new_token(family: str) -> str:
    return family + secrets.token_urlsafe(_SECRET_BYTES)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
