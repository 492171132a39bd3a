"""Guests of the application under `roomwire dev`: tokens as the auth service issues them, by a key of this run alone."""

import secrets
from collections.abc import Mapping
from typing import Final

from roomwire.identity.capabilities import Policy
from roomwire.identity.tokens import SigningKey, User

LIFETIME_S: Final = 86_400
"""How long a token is valid: a day at work."""
MAX_NAME_CHARS: Final = 64


class Guests:
    """Issues tokens to guests.

    Args:
        policy: Says what a guest may do.
        issuer: The `iss` of the tokens.
        audience: Their `aud`.

    """

    def __init__(self, policy: Policy, *, issuer: str, audience: str) -> None:
        self._capabilities = policy.of_role("guest")
        self._issuer = issuer
        self._audience = audience
        self._key = SigningKey.generate()

    def token(self, name: str) -> str:
        """Return the token of a new guest.

        Args:
            name: What people see of it; empty: one is made up.

        """
        id_ = secrets.token_hex(16)
        user = User(f"guest:{id_}", name[:MAX_NAME_CHARS] or f"guest-{id_[:6]}", "guest", self._capabilities)
        return self._key.sign(user, issuer=self._issuer, audience=self._audience, lifetime_s=LIFETIME_S)

    def keys(self) -> Mapping[str, object]:
        """Return the public key, as a JWKS."""
        return {"keys": [self._key.public_jwk()]}
