"""Clients: backends that obtain access tokens with a secret (RFC 6749, section 4.4).

They are in a file that an operator writes, each with its role and the digests of its secrets; `python -m roomwire_auth new-client`
creates an entry. A secret is 256 random bits, which cannot be guessed, so a plain digest protects it and a
slow hash would add nothing.
"""

import hashlib
import hmac
import re
import secrets
import time
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Final

import msgspec

from roomwire.errors import ConfigurationError, UnusableFile
from roomwire.identity.capabilities import Capabilities, Policy
from roomwire_auth.errors import UnusableClients
from roomwire_auth.reread import Reread

MAX_CLIENT_ID_CHARS: Final = 64
MAX_SECRETS: Final = 4
"""Maximum number of secrets of a client: usually one, and a second while it is being replaced."""

_CLIENT_ID: Final = re.compile(rf"[A-Za-z0-9_.-]{{1,{MAX_CLIENT_ID_CHARS}}}")
_SECRET_BYTES: Final = 32


class Client(msgspec.Struct, frozen=True):
    """A client.

    Attributes:
        id: Identifies the client in its requests.
        role: Its role in the policy.
        capabilities: The client's permissions.
        secret_digests: SHA-256 of its secrets, in hex.

    """

    id: str
    role: str
    capabilities: Capabilities
    secret_digests: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Client(id={self.id!r}, role={self.role!r})"


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    secret_sha256: Annotated[
        list[Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]],
        msgspec.Meta(min_length=1, max_length=MAX_SECRETS),
    ]
    role: str = "service"


class _File(msgspec.Struct, forbid_unknown_fields=True):
    clients: dict[str, _Entry] = {}


class Clients:
    """The configured clients; none without a file.

    Args:
        file: The clients' file, in TOML, which is read again when it changes (see `Reread`). Default: no file.
        policy: Contains their roles.
        clock: Seconds since 1970.

    Raises:
        ConfigurationError: The file cannot be read or is invalid; the message says why.

    """

    def __init__(self, file: Path | None, policy: Policy, *, clock: Callable[[], float] = time.time) -> None:
        self._decoy = secrets.token_hex(hashlib.sha256().digest_size)
        self._clients = Reread(
            _parse(_read(file), policy) if file else {},
            file=file,
            parse=lambda text: _parse(text, policy),
            what="clients",
            facts=lambda clients: {"clients": sorted(clients)},
            clock=clock,
        )

    def knows(self, client_id: str) -> bool:
        """Return whether a client with this id exists."""
        return client_id in self._clients.current()

    def find(self, client_id: str, secret: str) -> Client | None:
        """Return the client with this id and secret; an unknown id takes as long as a wrong secret."""
        client = self._clients.current().get(client_id)
        digest = secret_digest(secret)
        known = client.secret_digests if client else (self._decoy,)
        # All digests are compared, so that the time taken does not tell which one matched.
        matches = [hmac.compare_digest(digest, one) for one in known]
        return client if any(matches) else None


def new_secret() -> str:
    """Return a secret: 256 random bits, in characters that need no quoting."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def secret_digest(secret: str) -> str:
    """Return a secret's digest, as the file contains it."""
    return hashlib.sha256(secret.encode()).hexdigest()


def check_client_id(client_id: str) -> str:
    """Return a client's id.

    Raises:
        ValueError: The id is invalid.

    """
    if not _CLIENT_ID.fullmatch(client_id):
        raise ValueError(
            f"a client's name has 1 to {MAX_CLIENT_ID_CHARS} letters (a-z), digits, '_', '.' or '-'"
        )
    return client_id


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        problem = error.strerror if isinstance(error, OSError) else "This is not UTF-8 text"
        raise UnusableFile(file, problem=problem, setting="ROOMWIRE_CLIENTS_FILE") from None


def _parse(text: str, policy: Policy) -> Mapping[str, Client]:
    try:
        entries = msgspec.convert(tomllib.loads(text), _File).clients
        return {
            check_client_id(name): Client(
                name, entry.role, policy.of_role(entry.role), tuple(entry.secret_sha256)
            )
            for name, entry in entries.items()
        }
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, ValueError, ConfigurationError) as error:
        raise UnusableClients(error) from None
