"""Verifies an access token: its signature, type, times, issuer and audience, and that it was not revoked.

A token that was verified lately (`verified`) is not verified again while its key is published and its time lasts; whether it was revoked
is asked each time.

Tokens of the auth service follow RFC 9068 (`typ: at+jwt`) and are signed with Ed25519; nothing else is accepted unless another
identity provider is configured. Gateways verify locally, with cached keys from a JWKS (`jwks`). This module parses a token's content
strictly as a JSON object, because the JWT library, which only this module and `tokens` use, is more lenient. It never logs a token.
"""

import base64
import json
import re
import time
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Final, Literal, NoReturn

import jwt
import msgspec

from roomwire.errors import NotYetValid, Unauthenticated
from roomwire.health.clocks import LEEWAY_S
from roomwire.identity.capabilities import NOTHING, Capabilities
from roomwire.identity.claim_names import MISSING, OUR_CLAIMS, ClaimNames, find, names_in
from roomwire.identity.errors import InvalidToken, SessionEnded, TokenExpired
from roomwire.identity.jwk import EDDSA, PublicKey
from roomwire.identity.jwks import KeySource
from roomwire.identity.tokens import MAX_SESSION_CHARS, TOKEN_TYPE, User
from roomwire.identity.verified import VerifiedTokens
from roomwire.limits.http import MAX_TOKEN_BYTES

NO_TYPE: Final = "none"
MAX_USER_CHARS: Final = 256
MAX_TIME_S: Final = 253_402_300_000
"""Shortly before the year 10000, because a calendar knows no later time."""

# RFC 7515, section 2, forbids padding. The library accepts it, so that one token could be written in many ways.
_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")

_IN_TIME: Final = msgspec.Meta(ge=0, le=MAX_TIME_S)
_Time = Annotated[int, _IN_TIME] | Annotated[float, _IN_TIME]


class _Claims(msgspec.Struct):
    """The claims that Roomwire reads after the library has checked signature, times, issuer and audience."""

    user: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_USER_CHARS)]
    # The library accepts numbers written as text; RFC 7519, section 2, does not.
    exp: _Time
    iat: _Time
    nbf: _Time = 0
    name: str = ""
    kind: Literal["account", "guest", "service"] = "account"
    cap: dict[str, list[str]] | None = None
    session: Annotated[str, msgspec.Meta(max_length=MAX_SESSION_CHARS)] = ""


class Verifier:
    """Verifies access tokens.

    Args:
        keys: The source of the public keys.
        issuer: The `iss` that tokens must have.
        audience: The `aud` that tokens must have, alone or in a list.
        algorithms: The accepted signature algorithms; the key must fit as well. Default: EdDSA only.
        token_types: The accepted values of `typ`. `none` accepts tokens without one. Default: `at+jwt` only.
        claim_names: The claims to read. Default: those of our own auth service.
        roles: The permissions of each role, if a claim names roles. Unknown names allow nothing.
        leeway_s: Maximum difference between clocks, in both directions. Default: `LEEWAY_S`.
        max_token_bytes: Maximum length of a token.
        without_claim: The permissions of a token with neither roles nor capabilities. Default: none.
        is_revoked: Returns whether an otherwise valid token was revoked. Default: no token is.
        clock: Seconds since 1970, for tokens that were verified lately. The library that verifies the others has its own.

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
        clock: Callable[[], float] = time.time,
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
        self._clock = clock
        self._verified = VerifiedTokens()

    async def verify(self, token: str) -> User:
        """Return the user that the token identifies.

        Raises:
            Unauthenticated: The token is not valid. The client learns only whether it expired or was revoked.
            NotYetValid: The token is signed but dated in the future; try again.
            Unavailable: The keys could not be fetched yet.

        """
        # A token is ASCII; other texts are refused next.
        if len(token) > self._max_token_bytes:
            raise Unauthenticated("The token is too long.")
        known = self._verified.find(token, self._clock())
        if known is not None and known.key is await self._keys.key(known.kid):
            user = known.user
        else:
            user = await self._user_of(token)
        if self._is_revoked(user):
            raise SessionEnded
        return user

    async def _user_of(self, token: str) -> User:
        """Return the user that a token identifies, whether it was revoked or not; raises as `verify`."""
        if not _COMPACT.fullmatch(token):
            raise InvalidToken
        try:
            claims, kid, key = await self._checked(token)
            user = self._user(claims)
        except jwt.ExpiredSignatureError:
            raise TokenExpired from None
        except jwt.ImmatureSignatureError:
            raise NotYetValid from None
        except (jwt.PyJWTError, ValueError, RecursionError):
            # Repeated names and claims of another type raise the second error, brackets a thousand deep the third.
            raise InvalidToken from None
        self._verified.keep(token, user, kid=kid, key=key, leeway_s=self._leeway_s, now=self._clock())
        return user

    async def _checked(self, token: str) -> tuple[Mapping[str, object], str, PublicKey]:
        """Return the claims of a token after checking its signature, audience and times, with its key and the key's id."""
        head, body, _ = token.split(".")
        header = parse_part(head)
        algorithm, kid = header.get("alg"), header.get("kid")
        if not (isinstance(algorithm, str) and isinstance(kid, str) and algorithm in self._algorithms):
            raise ValueError("another algorithm or no key id")
        # We support no critical parameters (RFC 7515, section 4.1.11), and ignore a key or a URL in the header.
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
        # Of two claims of one name, this library takes the last, but another library may take the first.
        return parse_part(body), kid, key

    def _is_of_a_type(self, header: Mapping[str, object]) -> bool:
        type_ = header.get("typ", NO_TYPE)
        # RFC 7515, section 4.1.9, allows to omit the prefix.
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
        # JSON can contain half a surrogate pair, which is not text and would fail where it is written.
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


def parse_part(part: str) -> dict[str, object]:
    """Read the header or the claims of a token in compact form.

    Raises:
        ValueError: The part is not a JSON object, repeats a name (RFC 7519, section 4), or has an invalid number.
        RecursionError: The part is nested too deeply.

    """
    raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    value = json.loads(raw, object_pairs_hook=_unique, parse_constant=_refuse)
    return msgspec.convert(value, dict[str, object])


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number")
