"""Guests of the application under `roomwire dev`: tokens like those of the auth service, signed with a key of this run only."""

import secrets
from collections.abc import Mapping
from typing import Final

from roomwire.identity.capabilities import Policy
from roomwire.identity.tokens import SigningKey, User

LIFETIME_S: Final = 86_400
"""How long a token is valid, in seconds: one day."""
MAX_NAME_CHARS: Final = 64


class Guests:
    """Issues tokens to guests.

    Args:
        policy: The policy, which has the permissions of a guest.
        issuer: The `iss` of the tokens.
        audience: The `aud` of the tokens.

    """

    def __init__(self, policy: Policy, *, issuer: str, audience: str) -> None:
        self._capabilities = policy.of_role("guest")
        self._issuer = issuer
        self._audience = audience
        self._key = SigningKey.generate()

    def token(self, name: str) -> str:
        """Return the token of a new guest.

        Args:
            name: The guest's display name. If it is empty, a name is generated.

        """
        id_ = secrets.token_hex(16)
        user = User(f"guest:{id_}", name[:MAX_NAME_CHARS] or f"guest-{id_[:6]}", "guest", self._capabilities)
        return self._key.sign(user, issuer=self._issuer, audience=self._audience, lifetime_s=LIFETIME_S)

    def keys(self) -> Mapping[str, object]:
        """Return the public key, as a JWKS."""
        return {"keys": [self._key.public_jwk()]}
