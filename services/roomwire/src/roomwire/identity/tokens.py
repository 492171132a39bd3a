"""Access tokens: what is in one, how it is signed, how it is verified.

The only module that talks to the JWT library. Our tokens follow RFC 9068 (`typ: at+jwt`) and are signed with
Ed25519 (`alg: EdDSA`, RFC 8037); nothing else is accepted unless another identity provider is named. The auth service
signs with a `SigningKey`; the gateways verify locally with a `Verifier`, whose keys come from a JWKS (`jwks`), cached.

It carries what a user may do (`capabilities`) and does not decide it, and it never logs a token.
"""

import base64
import hashlib
import re
import secrets
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import parse_qs

import jwt
import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from roomwire.errors import ConfigurationError, NotYetValid, Unauthenticated
from roomwire.health.clocks import LEEWAY_S
from roomwire.identity.capabilities import NOTHING, Capabilities
from roomwire.identity.claims import MISSING, OUR_CLAIMS, ClaimNames, find, names_in, parse_part
from roomwire.identity.errors import InvalidToken, SessionEnded
from roomwire.identity.jwk import EDDSA, PublicKey
from roomwire.identity.jwks import KeySource
from roomwire.limits.http import MAX_TOKEN_BYTES

TOKEN_TYPE: Final = "at+jwt"  # noqa: S105 - the media type of RFC 9068, not a secret
NO_TYPE: Final = "none"
MAX_USER_CHARS: Final = 256
MAX_SESSION_CHARS: Final = 128
MAX_TIME_S: Final = 253_402_300_000
"""Shortly before the year 10000: a later time is none that a calendar knows."""

# RFC 7515, section 2: without padding. The library takes it, and then one token could be written in many ways.
_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class User(msgspec.Struct, frozen=True):
    """Who a connection or request belongs to.

    Attributes:
        id: The token's subject; unique and stable for an account, new for every guest.
        name: What people see. Chosen by the user: never a proof of anything.
        kind: `account` (registered), `guest` (has a guest token), `service` (a backend) or `anonymous` (has no token).
        capabilities: What it may do in which rooms. Default: nothing.
        issued_at: When its token was issued, in seconds since 1970; 0.0 without one.
        expires_at: Until when its token is taken, in seconds since 1970; 0.0 without one: for as long as it stays.
        session: The session that its token belongs to; empty if it says none.

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
        """Return a new identity for a client that came without a token."""
        id_ = secrets.token_hex(16)
        return cls(
            id=f"anonymous:{id_}", name=f"guest-{id_[:6]}", kind="anonymous", capabilities=capabilities
        )


_IN_TIME: Final = msgspec.Meta(ge=0, le=MAX_TIME_S)
_Time = Annotated[int, _IN_TIME] | Annotated[float, _IN_TIME]


class _Claims(msgspec.Struct):
    """What Roomwire reads in claims, after the library has checked signature, times, issuer and audience."""

    user: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_USER_CHARS)]
    # The library takes numbers written as text; RFC 7519, section 2, does not.
    exp: _Time
    iat: _Time
    nbf: _Time = 0
    name: str = ""
    kind: Literal["account", "guest", "service"] = "account"
    cap: dict[str, list[str]] | None = None
    session: Annotated[str, msgspec.Meta(max_length=MAX_SESSION_CHARS)] = ""


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
        """Make a new key pair."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, pem: str) -> Self:
        """Read a private key in PKCS#8 PEM, as `python -m roomwire_auth new-key` writes it.

        Raises:
            ConfigurationError: It is no unencrypted Ed25519 private key.

        """
        try:
            key = serialization.load_pem_private_key(pem.encode(), password=None)
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise ConfigurationError(
                "the signing key is no Ed25519 private key in PEM: make one with `python -m roomwire_auth new-key`"
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
            user: Whom it speaks for, and what may be done with it.
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


class Verifier:
    """Verifies access tokens.

    Args:
        keys: Where the public keys come from.
        issuer: The `iss` that tokens must have.
        audience: The `aud` that tokens must have, alone or in a list.
        algorithms: What they may be signed by; the key has to be for it as well. Default: EdDSA alone.
        token_types: What their `typ` may be; `none`: they may have none. Default: `at+jwt` alone.
        claim_names: Which claims say what. Default: as our own auth service writes them.
        roles: What each role may do, if a claim says roles. Names of no role allow nothing.
        leeway_s: How far clocks may differ, both ways. Default: `LEEWAY_S`.
        max_token_bytes: How long a token may be.
        without_claim: What may be done with a token that says neither roles nor capabilities. Default: nothing.
        is_revoked: Says whether a token that would hold was revoked. Default: none is.

    """

    def __init__(
        self,
        keys: KeySource,
        *,
        issuer: str,
        audience: str,
        algorithms: Collection[str] = (EDDSA,),
        token_types: Collection[str] = (TOKEN_TYPE,),
        claim_names: ClaimNames = OUR_CLAIMS,
        roles: Mapping[str, Capabilities] | None = None,
        leeway_s: float = LEEWAY_S,
        max_token_bytes: int = MAX_TOKEN_BYTES,
        without_claim: Capabilities = NOTHING,
        is_revoked: Callable[[User], bool] = lambda _: False,
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._algorithms = frozenset(algorithms)
        self._token_types = frozenset(token.lower() for token in token_types)
        self._claim_names = claim_names
        self._roles = roles or {}
        self._leeway_s = leeway_s
        self._max_token_bytes = max_token_bytes
        self._without_claim = without_claim
        self._is_revoked = is_revoked

    async def verify(self, token: str) -> User:
        """Return whom the token speaks for.

        Raises:
            Unauthenticated: The token does not hold. The client learns only whether it expired or was revoked.
            NotYetValid: It is signed, and dated later than now: try again.
            Unavailable: The keys could not be fetched yet.

        """
        # A token is ASCII; what is not is refused next.
        if len(token) > self._max_token_bytes:
            raise Unauthenticated("The token is too long.")
        if not _COMPACT.fullmatch(token):
            raise InvalidToken
        try:
            user = self._user(await self._checked(token))
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("The token has expired.") from None
        except jwt.ImmatureSignatureError:
            raise NotYetValid from None
        except (jwt.PyJWTError, ValueError, RecursionError):
            # What says a thing twice and claims of another shape are the second, brackets a thousand deep the third.
            raise InvalidToken from None
        if self._is_revoked(user):
            raise SessionEnded
        return user

    async def _checked(self, token: str) -> Mapping[str, Any]:
        """Return the claims of a token that is signed, is for us, and has its times."""
        head, body, _ = token.split(".")
        header = parse_part(head)
        algorithm, kid = header.get("alg"), header.get("kid")
        if not (isinstance(algorithm, str) and isinstance(kid, str) and algorithm in self._algorithms):
            raise ValueError("another algorithm, or no key id")
        # What is critical we do not know (RFC 7515, section 4.1.11); a key or an address in a header is not looked at.
        if not self._is_of_a_type(header) or "crit" in header:
            raise ValueError("another type")
        key = await self._keys.key(kid)
        if key is None or algorithm not in key.algorithms:
            raise ValueError("no such key, or one for another algorithm")
        jwt.decode(
            token,
            key.key,
            algorithms=[algorithm],
            issuer=self._issuer,
            audience=self._audience,
            leeway=self._leeway_s,
            options={"require": ["exp", "iat", "iss", "aud"]},
        )
        # The library takes the last of two claims of a name, another may take the first.
        return parse_part(body)

    def _is_of_a_type(self, header: Mapping[str, object]) -> bool:
        type_ = header.get("typ", NO_TYPE)
        # RFC 7515, section 4.1.9: the beginning may be left out.
        return isinstance(type_, str) and type_.lower().removeprefix("application/") in self._token_types

    def _user(self, claims: Mapping[str, object]) -> User:
        names = self._claim_names
        said = {
            "user": find(claims, names.user),
            "name": find(claims, names.name),
            "session": find(claims, names.session),
            **{name: claims.get(name, MISSING) for name in ("kind", "cap", "exp", "iat", "nbf")},
        }
        known = msgspec.convert(
            {name: value for name, value in said.items() if value is not MISSING}, _Claims
        )
        # JSON can spell half a surrogate pair, which is no text: it would fail where it is written.
        f"{known.user}{known.name}{known.session}".encode()
        return User(
            id=known.user,
            name=known.name or known.user,
            kind=known.kind,
            capabilities=self._capabilities(claims, known.cap),
            issued_at=float(known.iat),
            expires_at=known.exp + self._leeway_s,
            session=known.session,
        )

    def _capabilities(
        self, claims: Mapping[str, object], cap: Mapping[str, list[str]] | None
    ) -> Capabilities:
        if not self._claim_names.roles:
            return self._without_claim if cap is None else Capabilities.of(cap)
        named = names_in(find(claims, self._claim_names.roles))
        able = [self._roles[role] for role in named if role in self._roles]
        return Capabilities.of_all(able) if able else self._without_claim


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
