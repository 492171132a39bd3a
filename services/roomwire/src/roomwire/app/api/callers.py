"""Identifies the caller of the API: the bearer of an access token, or of an API key.

Owns the keys and what they allow. Tokens are checked by the gateway's verifier, as those of clients.
"""

import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from roomwire.errors import ConfigurationError, Unauthenticated
from roomwire.identity.capabilities import Capabilities, Policy
from roomwire.identity.tokens import User

MIN_SECRET_CHARACTERS: Final = 32
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class Caller(msgspec.Struct, frozen=True):
    """Somebody who calls the API.

    Attributes:
        id: Tells it from every other; it stands in the audit.
        capabilities: What it may do in which rooms.
        address: Where it calls from; it stands in the audit, too. Empty: not known.

    """

    id: str
    capabilities: Capabilities
    address: str = ""


class Key(msgspec.Struct, frozen=True):
    """A key of a service: its caller, and the digest of its secret."""

    caller: Caller
    digest: bytes


def parse_keys(text: str, policy: Policy) -> Sequence[Key]:
    """Read keys, one a line: a name, a role of the policy, and a secret of 32 characters or more.

    Empty lines, and what begins with `#`, are left out.

    Raises:
        ConfigurationError: A line is no key; the sentence says which, and never the secret.

    """
    keys: dict[str, Key] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        where = f"ROOMWIRE_API_KEYS, line {number}"
        parts = line.split()
        if len(parts) != 3 or not _NAME.fullmatch(parts[0]):  # noqa: PLR2004 - as the next line says
            raise ConfigurationError(f"{where}: write a name (a-z, 0-9, -), a role and a secret")
        name, role, secret = parts
        if len(secret) < MIN_SECRET_CHARACTERS:
            raise ConfigurationError(f"{where}: the secret has fewer than {MIN_SECRET_CHARACTERS} characters")
        digest = _digest(secret)
        if name in keys or any(digest == key.digest for key in keys.values()):
            raise ConfigurationError(f"{where}: another line has the same name or secret")
        try:
            capabilities = policy.of_role(role)
        except ConfigurationError as error:
            raise ConfigurationError(f"{where}: {error}") from None
        keys[name] = Key(Caller(f"key:{name}", capabilities), digest)
    return [*keys.values()]


class Callers:
    """Finds out who calls.

    Args:
        keys: The keys that are taken.
        verify: Returns whom a token speaks for; see `Verifier.verify`. Default: tokens are not taken.

    """

    def __init__(
        self, keys: Sequence[Key], *, verify: Callable[[str], Awaitable[User]] | None = None
    ) -> None:
        self._keys = keys
        self._verify = verify

    async def identify(self, authorization: str) -> Caller:
        """Return who calls.

        Args:
            authorization: The header of that name.

        Raises:
            Unauthenticated: It names nobody: there is none, or what it has does not hold.
            Unavailable: Tokens cannot be checked for the moment.

        """
        scheme, _, credentials = authorization.partition(" ")
        credentials = credentials.strip()
        if scheme.lower() != "bearer" or not credentials:
            raise Unauthenticated
        digest, found = _digest(credentials), None
        for key in self._keys:
            # All of them, so that the time says nothing.
            if hmac.compare_digest(digest, key.digest):
                found = key.caller
        if found is not None:
            return found
        if self._verify is None:
            raise Unauthenticated
        user = await self._verify(credentials)
        return Caller(f"{user.kind}:{user.id}", user.capabilities)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
