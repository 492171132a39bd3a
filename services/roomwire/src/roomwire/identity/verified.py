"""Tokens that were verified lately, so that a client that connects again, or calls again, does not cost another signature. Pure.

What is kept says that a token's signature, claims and issuer were right under a key. Whether the key still is published, whether the
token has expired and whether it was revoked is asked each time. Tokens themselves are not kept, only digests of them.
"""

import hashlib
import math
from typing import Final

import msgspec

from roomwire.identity.jwk import PublicKey
from roomwire.identity.tokens import User

MAX_TOKENS: Final = 2_048
MAX_KEPT_BYTES: Final = 4_096
"""The maximum length of a token that is kept: what it says takes about as much memory."""


class Verified(msgspec.Struct, frozen=True):
    """A token that was verified.

    Attributes:
        user: The user that it identifies.
        kid: The id of the key that signed it.
        key: That key.
        at: When it was verified, in seconds since 1970.
        until: From when on it has expired, in seconds since 1970.

    """

    user: User
    kid: str
    key: PublicKey
    at: float
    until: float


class VerifiedTokens:
    """Keeps the `MAX_TOKENS` tokens that were used last."""

    def __init__(self) -> None:
        self._kept: dict[bytes, Verified] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, token: str, now: float) -> Verified | None:
        """Return what was verified of a token; None if nothing is known, or if the clock says that it has to be verified again.

        Args:
            token: The token.
            now: Seconds since 1970. A clock that was set back may be before the token's own times.

        """
        digest = _digest(token)
        found = self._kept.pop(digest, None)
        if found is None or not found.at <= now < found.until:
            return None
        self._kept[digest] = found
        return found

    def keep(self, token: str, user: User, *, kid: str, key: PublicKey, leeway_s: float, now: float) -> None:
        """Keep a token that was verified just now.

        Args:
            token: The token.
            user: The user that it identifies.
            kid: The id of the key that signed it.
            key: That key.
            leeway_s: The difference between clocks that `User.expires_at` includes.
            now: Seconds since 1970.

        """
        if len(token) > MAX_KEPT_BYTES:
            return
        # The JWT library cuts off fractions of a second.
        until = math.floor(user.expires_at - leeway_s) + leeway_s
        self._kept[_digest(token)] = Verified(user=user, kid=kid, key=key, at=now, until=until)
        if len(self._kept) > MAX_TOKENS:
            del self._kept[next(iter(self._kept))]


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
