"""Identifies the caller of the API: the bearer of an access token, or of an API key.

This module owns the keys and their permissions. The gateway's verifier verifies tokens, as it does for clients.
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
    """A caller of the API.

    Attributes:
        id: The caller's unique id, for the audit.
        capabilities: The caller's permissions per room.
        address: The caller's address, for the audit. Empty if it is unknown.
        is_backend: Whether it is a backend: the bearer of a key, or of a token that was issued to a service.

    """

    id: str
    capabilities: Capabilities
    address: str = ""
    is_backend: bool = False


class Key(msgspec.Struct, frozen=True):
    """A key of a service: its caller, and the digest of its secret."""

    caller: Caller
    digest: bytes


def parse_keys(text: str, policy: Policy) -> Sequence[Key]:
    """Read keys, one a line: a name, a role of the policy, and a secret of 32 characters or more.

    Empty lines, and lines that begin with `#`, are ignored.

    Raises:
        ConfigurationError: A line is not a key. The message names the line, and never the secret.

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
        keys[name] = Key(Caller(f"key:{name}", capabilities, is_backend=True), digest)
    return [*keys.values()]


class Callers:
    """Identifies callers.

    Args:
        keys: The accepted keys.
        verify: Returns the user that a token identifies; see `Verifier.verify`. Default: tokens are not accepted.

    """

    def __init__(
        self, keys: Sequence[Key], *, verify: Callable[[str], Awaitable[User]] | None = None
    ) -> None:
        self._keys = keys
        self._verify = verify

    async def identify(self, authorization: str) -> Caller:
        """Return the caller.

        Args:
            authorization: The header of that name.

        Raises:
            Unauthenticated: The token or key is missing or invalid.
            Unavailable: Tokens cannot be verified at the moment.

        """
        scheme, _, credentials = authorization.partition(" ")
        credentials = credentials.strip()
        if scheme.lower() != "bearer" or not credentials:
            raise Unauthenticated
        digest, found = _digest(credentials), None
        for key in self._keys:
            # All of them are compared, so that the time reveals nothing.
            if hmac.compare_digest(digest, key.digest):
                found = key.caller
        if found is not None:
            return found
        if self._verify is None:
            raise Unauthenticated
        user = await self._verify(credentials)
        return Caller(f"{user.kind}:{user.id}", user.capabilities, is_backend=user.kind == "service")


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
