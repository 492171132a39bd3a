"""Access tokens: what is in one, how it is signed, how it is verified.

The only module that talks to the JWT library. Tokens follow RFC 9068 (`typ: at+jwt`) and are signed with
Ed25519 (`alg: EdDSA`, RFC 8037); nothing else is accepted. The auth service signs with a `SigningKey`; the
gateways verify locally with a `Verifier`, whose keys come from the auth service's JWKS (RFC 7517), cached.

It carries what a user may do (`capabilities`) and does not decide it, and it never logs a token.
"""

import asyncio
import base64
import hashlib
import re
import secrets
import ssl
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final, Literal, Protocol, Self
from urllib.parse import parse_qs

import httpx
import jwt
import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from roomwire.capabilities import NOTHING, Capabilities
from roomwire.errors import ConfigurationError, Unauthenticated, Unavailable
from roomwire.logs import get_logger

ALGORITHM: Final = "EdDSA"
TOKEN_TYPE: Final = "at+jwt"  # noqa: S105 - the media type of RFC 9068, not a secret
MAX_TOKEN_CHARS: Final = 8_192
MAX_JWKS_BYTES: Final = 65_536
MAX_SESSION_CHARS: Final = 128
SESSION_ENDED: Final = "The session has ended."

# RFC 7515, section 2: without padding. The library takes it, and then one token could be written in many ways.
_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")

_log = get_logger(__name__)


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


class _Claims(msgspec.Struct):
    """The claims that Roomwire reads, after the library has checked signature, times, issuer and audience."""

    sub: str
    name: str
    kind: Literal["account", "guest", "service"]
    # The library takes numbers written as text; RFC 7519, section 2, does not.
    exp: int | float
    iat: int | float
    cap: dict[str, list[str]] | None = None
    sid: Annotated[str, msgspec.Meta(max_length=MAX_SESSION_CHARS)] = ""


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
        """Read a private key in PKCS#8 PEM, as `python -m auth new-key` writes it.

        Raises:
            ConfigurationError: It is no unencrypted Ed25519 private key.

        """
        try:
            key = serialization.load_pem_private_key(pem.encode(), password=None)
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise ConfigurationError(
                "the signing key is no Ed25519 private key in PEM: make one with `python -m auth new-key`"
            )
        return cls(key)

    def to_pem(self) -> str:
        """Return the private key in PKCS#8 PEM, unencrypted."""
        return self._private_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()

    def public_key(self) -> Ed25519PublicKey:
        """Return the public half."""
        return self._private_key.public_key()

    def public_jwk(self) -> Mapping[str, str]:
        """Return the public half as the JWKS publishes it."""
        return {"kty": "OKP", "crv": "Ed25519", "x": self._x, "kid": self.kid, "use": "sig", "alg": ALGORITHM}

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
        return jwt.encode(claims, self._private_key, algorithm=ALGORITHM, headers=headers)


class KeySource(Protocol):
    """Where public keys come from."""

    async def key(self, kid: str) -> Ed25519PublicKey | None:
        """Return the key of this id, or None if there is none.

        Raises:
            Unavailable: No keys are known yet and they cannot be fetched.

        """


class Verifier:
    """Verifies access tokens.

    Args:
        keys: Where the public keys come from.
        issuer: The `iss` that tokens must have.
        audience: The `aud` that tokens must have.
        leeway_s: How far clocks may differ. Default: 5 seconds.
        without_claim: What may be done with a token that does not say (the claim `cap`). Default: nothing.
        is_revoked: Says whether a token that would hold was revoked. Default: none is.

    """

    def __init__(
        self,
        keys: KeySource,
        *,
        issuer: str,
        audience: str,
        leeway_s: float = 5.0,
        without_claim: Capabilities = NOTHING,
        is_revoked: Callable[[User], bool] = lambda _: False,
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._leeway_s = leeway_s
        self._without_claim = without_claim
        self._is_revoked = is_revoked

    async def verify(self, token: str) -> User:
        """Return whom the token speaks for.

        Raises:
            Unauthenticated: The token does not hold. The client learns only whether it expired or was revoked.
            Unavailable: The keys could not be fetched yet.

        """
        if len(token) > MAX_TOKEN_CHARS:
            raise Unauthenticated("The token is too long.")
        if not _COMPACT.fullmatch(token):
            raise Unauthenticated("The token does not hold.")
        try:
            header = jwt.get_unverified_header(token)
            if (
                header.get("alg") != ALGORITHM
                or str(header.get("typ")).lower() != TOKEN_TYPE
                or "crit" in header
            ):
                raise Unauthenticated("The token does not hold.")
            kid = header.get("kid")
            key = await self._keys.key(kid) if isinstance(kid, str) else None
            if key is None:
                raise Unauthenticated("The token does not hold.")
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                issuer=self._issuer,
                audience=self._audience,
                leeway=self._leeway_s,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
            known = msgspec.convert(claims, _Claims)
            capabilities = self._without_claim if known.cap is None else Capabilities.of(known.cap)
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("The token has expired.") from None
        except (jwt.PyJWTError, ValueError, RecursionError):
            # Lone surrogates and claims of another shape are the second, a header of brackets a thousand deep the third.
            raise Unauthenticated("The token does not hold.") from None
        user = User(
            id=known.sub,
            name=known.name,
            kind=known.kind,
            capabilities=capabilities,
            issued_at=float(known.iat),
            expires_at=known.exp + self._leeway_s,
            session=known.sid,
        )
        if self._is_revoked(user):
            raise Unauthenticated(SESSION_ENDED)
        return user


def find_token(auth: Any, *, authorization: str = "", query: str = "") -> str | None:
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


class JwksClient:
    """Public keys from a JWKS, cached: a `KeySource`.

    Known keys are used without asking. An unknown key id, or keys older than `max_age_s`, lead to one fetch,
    at most one per `cooldown_s` whatever clients send. When a fetch fails, the known keys go on being used.

    Args:
        url: Where the JWKS is. Redirects are not followed.
        tls: What an https address has to show. Default: what the system's certificates vouch for.
        timeout_s: How long one fetch may take. Default: 2 seconds.
        cooldown_s: Least time between two fetches. Default: 10 seconds.
        max_age_s: How old keys may get before they are fetched anew. Default: 300 seconds.
        clock: Monotonic seconds.
        transport: The HTTP transport; for tests.

    """

    def __init__(
        self,
        url: str,
        *,
        tls: ssl.SSLContext | None = None,
        timeout_s: float = 2.0,
        cooldown_s: float = 10.0,
        max_age_s: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._cooldown_s = cooldown_s
        self._max_age_s = max_age_s
        self._clock = clock
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._fetching = asyncio.Lock()
        self._http = httpx.AsyncClient(
            timeout=timeout_s,
            follow_redirects=False,
            trust_env=False,
            transport=transport,
            verify=tls or True,
        )

    async def key(self, kid: str) -> Ed25519PublicKey | None:
        """Return the key of this id, or None; see `KeySource`."""
        if kid not in self._keys or self._clock() - self._fetched_at > self._max_age_s:
            await self._refresh(kid)
        if not self._keys:
            raise Unavailable("Tokens cannot be checked for the moment: try again.")
        return self._keys.get(kid)

    async def close(self) -> None:
        """Close the HTTP connections; idempotent."""
        await self._http.aclose()

    async def _refresh(self, kid: str) -> None:
        async with self._fetching:
            fresh = self._clock() - self._fetched_at <= self._max_age_s
            # Without any key nobody can be served: then a failed fetch is repeated after a second.
            cooldown_s = self._cooldown_s if self._keys else min(1.0, self._cooldown_s)
            if (kid in self._keys and fresh) or self._clock() - self._tried_at < cooldown_s:
                return
            self._tried_at = self._clock()
            try:
                async with asyncio.timeout(self._timeout_s):
                    self._keys = _read_jwks(await self._fetch())
                self._fetched_at = self._clock()
            except (
                httpx.HTTPError,
                httpx.InvalidURL,
                TimeoutError,
                msgspec.DecodeError,
                ValueError,
            ) as error:
                _log.warning(
                    "jwks fetch failed", url=self._url, error=repr(error), known_keys=len(self._keys)
                )

    async def _fetch(self) -> bytes:
        async with self._http.stream("GET", self._url) as response:
            if response.status_code != httpx.codes.OK:
                raise ValueError(f"status {response.status_code}")
            body = b""
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_JWKS_BYTES:
                    raise ValueError(f"more than {MAX_JWKS_BYTES} bytes")
            return body


class _Jwk(msgspec.Struct):
    kty: str
    kid: str = ""
    crv: str = ""
    x: str = ""
    use: str = "sig"
    d: str = ""


class _Jwks(msgspec.Struct):
    keys: Sequence[_Jwk]


def _read_jwks(body: bytes) -> dict[str, Ed25519PublicKey]:
    """Take the public Ed25519 signing keys out of a JWKS.

    Other kinds of keys are left alone, and so are private keys: whoever reads the JWKS could sign with them.
    """
    keys = {}
    for jwk in msgspec.json.decode(body, type=_Jwks).keys:
        if (jwk.kty, jwk.crv, jwk.use) == ("OKP", "Ed25519", "sig") and jwk.kid and not jwk.d:
            raw = base64.urlsafe_b64decode(jwk.x + "=" * (-len(jwk.x) % 4))
            keys[jwk.kid] = Ed25519PublicKey.from_public_bytes(raw)
    if not keys:
        raise ValueError("no Ed25519 signing key in the JWKS")
    return keys


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
