"""Stores accounts by name. This module sees hashes of passwords, never a password.

Changing a password and deleting an account also end sessions, so both are in `sessions`.
"""

import uuid
from datetime import UTC, datetime

import msgspec

from roomwire.identity.tokens import User
from roomwire_auth.accounts import scripts
from roomwire_auth.errors import UsernameTaken
from roomwire_auth.store import Store


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A registered user.

    Attributes:
        id: Unique and stable; the subject of the tokens.
        name: The name as it was spelled at registration; unique without regard to case.
        password_hash: Argon2's encoded form, with parameters and salt.
        created_at: When the account was registered, in UTC.
        password_changes: How often the password was changed. A new hash of the same password does not count.

    """

    id: str
    name: str
    password_hash: str
    created_at: datetime
    password_changes: int = 0

    @property
    def key_name(self) -> str:
        """The suffix of the account's key in Redis; it is the lower-case name."""
        return _key_name(self.name)

    def user(self) -> User:
        """Return the user that the tokens identify."""
        return User(id=self.id, name=self.name, kind="account")

    def __repr__(self) -> str:
        return f"Account(id={self.id!r})"


class Accounts:
    """The accounts in Redis."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._add = store.script(scripts.ADD)
        self._replace_hash = store.script(scripts.REPLACE_HASH)

    async def add(self, name: str, password_hash: str) -> Account:
        """Register an account. Of concurrent calls with one name, exactly one succeeds.

        Raises:
            UsernameTaken: An account with this name exists.
            Unavailable: The store does not answer; the account may or may not be registered.

        """
        account = Account(
            id=f"account:{uuid.uuid4().hex}",
            name=name,
            password_hash=password_hash,
            created_at=datetime.now(UTC).replace(microsecond=0),
        )
        fields = [part for item in msgspec.to_builtins(account).items() for part in item]
        if not await self._store.ask(self._add(keys=[self._key(name)], args=fields)):
            raise UsernameTaken
        return account

    async def find(self, name: str) -> Account | None:
        """Return the account with this name, without regard to case; raises `Unavailable`."""
        found = await self._store.ask(self._store.client.hgetall(self._key(name)))
        if not found:
            return None
        return msgspec.convert(
            {field.decode(): value.decode() for field, value in found.items()}, Account, strict=False
        )

    async def replace_hash(self, account: Account, password_hash: str) -> None:
        """Replace an account's hash, unless the hash has changed since the account was read; raises `Unavailable`."""
        arguments = [account.password_hash, password_hash]
        await self._store.ask(self._replace_hash(keys=[self._key(account.name)], args=arguments))

    def _key(self, name: str) -> str:
        return self._store.key("account", _key_name(name))


def _key_name(name: str) -> str:
    return name.lower()
