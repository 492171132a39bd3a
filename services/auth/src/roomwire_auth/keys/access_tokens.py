"""Issues access tokens: for which user, signed by which key, with which capabilities."""

import time

import msgspec

from roomwire.identity.capabilities import Capabilities, Policy
from roomwire.identity.tokens import User
from roomwire_auth.keys.keys import Keys


class AccessTokens:
    """Issues access tokens.

    Args:
        keys: Contains the key that signs.
        issuer: The claim `iss`.
        audience: The claim `aud`.
        ttl_s: Lifetime of a token.
        policy: Decides the tokens' capabilities.

    """

    def __init__(self, keys: Keys, *, issuer: str, audience: str, ttl_s: int, policy: Policy) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._ttl_s = ttl_s
        self._policy = policy

    def issue(self, user: User, *, session: str, issue_from: int) -> str:
        """Return a new token for the user; it is valid no longer than its session.

        Args:
            user: An account or a guest; the policy decides its role.
            session: The session's id.
            issue_from: Earliest permitted issue time, in seconds since 1970; older tokens are revoked.

        """
        role = self._policy.role_of(user.id, is_guest=user.kind == "guest")
        able = msgspec.structs.replace(user, capabilities=self._policy.of_role(role), session=session)
        return self._sign(able, issue_from=issue_from)

    def issue_to_client(self, client: str, capabilities: Capabilities) -> str:
        """Return a new token for a client; it belongs to no session."""
        return self._sign(User(f"client:{client}", client, "service", capabilities), issue_from=0)

    def _sign(self, user: User, *, issue_from: int) -> str:
        return self._keys.signing().sign(
            user,
            issuer=self._issuer,
            audience=self._audience,
            lifetime_s=self._ttl_s,
            now=max(time.time(), issue_from),
        )
