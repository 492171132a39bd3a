"""Access tokens: the user that a token identifies, the signing of our own, and their place in a handshake.

Our tokens follow RFC 9068 (`typ: at+jwt`) and are signed with Ed25519 (`alg: EdDSA`, RFC 8037) by a `SigningKey` of the auth
service. `verification` decides whether a token is valid. A token carries a user's permissions (`capabilities`) but does not define them.
This module never logs a token.
"""

import base64
import hashlib
import secrets
import time
import uuid
from collections.abc import Mapping
from typing import Final, Literal, Self
from urllib.parse import parse_qs

import jwt
import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from roomwire.errors import ConfigurationError
from roomwire.identity.capabilities import NOTHING, Capabilities
from roomwire.identity.jwk import EDDSA, PublicKey

TOKEN_TYPE: Final = "at+jwt"  # noqa: S105 - the media type of RFC 9068, not a secret
MAX_SESSION_CHARS: Final = 128


class User(msgspec.Struct, frozen=True):
    """The user that a connection or request belongs to.

    Attributes:
        id: The token's subject: unique and stable for an account, new for every guest.
        name: The display name. The user chooses it, so it proves nothing.
        kind: `account` (registered), `guest` (has a guest token), `service` (a backend) or `anonymous` (has no token).
        capabilities: The user's permissions per room. Default: none.
        issued_at: The time when its token was issued, in seconds since 1970; 0.0 without a token.
        expires_at: The time until which its token is accepted, in seconds since 1970; 0.0 without a token, which never expires.
        session: The session that its token belongs to. Empty if the token names none.

    """

    id: str
    name: str
    kind: Literal["account", "guest", "service", "anonymous"]
    capabilities: Capabilities = NOTHING
    issued_at: float = 0.0
    expires_at: float = 0.0
    session: str = ""

    @classmethod
    def anonymous(cls, capabilities: Capabilities = NOTHING) -> Self:
        """Return a new identity for a client without a token."""
        id_ = secrets.token_hex(16)
        return cls(
            id=f"anonymous:{id_}", name=f"guest-{id_[:6]}", kind="anonymous", capabilities=capabilities
        )


class SigningKey:
    """An Ed25519 key pair with the key id that its tokens carry (the JWK thumbprint of RFC 7638)."""

    def __init__(self, private_key: Ed25519PrivateKey) -> None:
        self._private_key = private_key
        raw = private_key.public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw
        )
        self._x = _base64url(raw)
        thumbprint = f'{{"crv":"Ed25519","kty":"OKP","x":"{self._x}"}}'.encode()
        self.kid = _base64url(hashlib.sha256(thumbprint).digest())

    @classmethod
    def generate(cls) -> Self:
        """Create a new key pair."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, pem: str) -> Self:
        """Read a private key in PKCS#8 PEM, as `python -m roomwire_auth new-key` writes it.

        Raises:
            ConfigurationError: The text is not an unencrypted Ed25519 private key.

        """
        try:
            key = serialization.load_pem_private_key(pem.encode(), password=None)
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise ConfigurationError(
                "the signing key is not an Ed25519 private key in PEM: create one with `python -m roomwire_auth new-key`"
            )
        return cls(key)

    def to_pem(self) -> str:
        """Return the private key in PKCS#8 PEM, unencrypted."""
        return self._private_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()

    def public_key(self) -> PublicKey:
        """Return the public half, for a `Verifier`."""
        return PublicKey(self._private_key.public_key(), frozenset({EDDSA}))

    def public_jwk(self) -> Mapping[str, str]:
        """Return the public half as the JWKS publishes it."""
        return {"kty": "OKP", "crv": "Ed25519", "x": self._x, "kid": self.kid, "use": "sig", "alg": EDDSA}

    def sign(
        self, user: User, *, issuer: str, audience: str, lifetime_s: float, now: float | None = None
    ) -> str:
        """Issue an access token.

        Args:
            user: The user that it identifies, with the user's permissions.
            issuer: The `iss` claim.
            audience: The `aud` claim.
            lifetime_s: Seconds until it expires.
            now: Seconds since 1970, UTC. Default: the clock.

        """
        issued = int(time.time() if now is None else now)
        claims = {
            "iss": issuer,
            "aud": audience,
            "sub": user.id,
            "name": user.name,
            "kind": user.kind,
            "cap": user.capabilities.claim(),
            **({"sid": user.session} if user.session else {}),
            "iat": issued,
            "exp": issued + int(lifetime_s),
            "jti": uuid.uuid4().hex,
        }
        headers = {"typ": TOKEN_TYPE, "kid": self.kid}
        return jwt.encode(claims, self._private_key, algorithm=EDDSA, headers=headers)


def find_token(auth: object, *, authorization: str = "", query: str = "") -> str | None:
    """Find a handshake's token: in the `auth` payload, the `Authorization` header or the query, in this order.

    Args:
        auth: The payload of the client's CONNECT packet; any value.
        authorization: The header's value.
        query: The request's query string.

    """
    if isinstance(auth, Mapping) and isinstance(auth.get("token"), str) and auth["token"]:
        return str(auth["token"])
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() == "bearer" and credentials.strip():
        return credentials.strip()
    in_query = parse_qs(query).get("token")
    return in_query[0] if in_query else None


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
