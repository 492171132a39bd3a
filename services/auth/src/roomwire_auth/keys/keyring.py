"""The keyring: several signing keys in one secret, each with the time from which it signs.

This module is pure: it reads no file and no clock. A key's state follows from the times alone, so all processes that
have read the same keyring agree, and nothing has to be written or started when a key begins to sign:

========  =========================================================================================
next      published, but does not sign yet, so that verifiers learn of it
signing   the key whose time came most recently
retiring  published until every token that it signed has expired
========  =========================================================================================
"""

from collections.abc import Iterator, Sequence
from typing import Final, Literal

import msgspec

from roomwire.errors import ConfigurationError
from roomwire.identity.tokens import SigningKey

MAX_ACCESS_TTL_S: Final = 86_400
"""Maximum configurable lifetime of an access token, in seconds."""

KEEP_S: Final = MAX_ACCESS_TTL_S + 300
"""How long a key is published after the next began to sign, in seconds: the maximum lifetime of a token, and five minutes
for clocks that differ and for a process that learned of the next key late. It does not depend on a setting that may change."""

State = Literal["next", "signing", "retiring"]


class _Key(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    signs_from: int
    pem: str


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    keys: list[_Key]


class KeyState(msgspec.Struct, frozen=True):
    """A key's state at a time, and until when, in seconds since 1970; None until a next key is created."""

    key: SigningKey
    state: State
    until: int | None


class Keyring:
    """Keys in the order in which they sign.

    Args:
        keys: Each key with the time from which it signs, in seconds since 1970; before the first of these the first key signs.

    Raises:
        ConfigurationError: There is no key, or one occurs twice.

    """

    def __init__(self, keys: Sequence[tuple[int, SigningKey]]) -> None:
        self._keys = sorted(keys, key=lambda entry: entry[0])
        if not keys:
            raise ConfigurationError(
                "the keyring is empty: create a key with `python -m roomwire_auth new-key`"
            )
        if len({key.kid for _, key in keys}) < len(keys):
            raise ConfigurationError(
                "the keyring contains a key twice: each key has one time from which it signs"
            )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Keyring) and self.dump() == other.dump()

    def __hash__(self) -> int:
        return hash(self.dump())

    @classmethod
    def parse(cls, text: str) -> "Keyring":
        """Parse what `dump` wrote, or one private key in PEM, which signs from the beginning of time.

        Raises:
            ConfigurationError: The text is neither.

        """
        if not text.lstrip().startswith("{"):
            return cls([(0, SigningKey.from_pem(text))])
        try:
            file = msgspec.json.decode(text, type=_File)
        except (msgspec.DecodeError, UnicodeError):
            # The cause is left out: it would quote a secret.
            raise ConfigurationError(
                "the keyring is not in the format that `python -m roomwire_auth rotate-keys` writes: restore it"
            ) from None
        return cls([(key.signs_from, SigningKey.from_pem(key.pem)) for key in file.keys])

    def dump(self) -> str:
        """Return the keyring as JSON, private keys included."""
        file = _File(keys=[_Key(signs_from=since, pem=key.to_pem()) for since, key in self._keys])
        return msgspec.json.format(msgspec.json.encode(file), indent=2).decode() + "\n"

    def states(self, now: float) -> Iterator[KeyState]:
        """Yield the keys that are published at a time, the oldest first."""
        current = max((place for place, (since, _) in enumerate(self._keys) if since <= now), default=0)
        for place, (since, key) in enumerate(self._keys):
            ends = self._keys[place + 1][0] if place + 1 < len(self._keys) else None
            if place > current:
                yield KeyState(key, "next", since)
            elif place == current:
                yield KeyState(key, "signing", ends)
            elif ends is not None and now < ends + KEEP_S:
                yield KeyState(key, "retiring", ends + KEEP_S)

    def signing(self, now: float) -> SigningKey:
        """Return the key that signs at a time."""
        return next(known.key for known in self.states(now) if known.state == "signing")

    def published(self, now: float) -> Sequence[SigningKey]:
        """Return the keys that verifiers need at a time."""
        return [known.key for known in self.states(now)]

    def rotated(self, now: float, *, lead_s: int) -> "Keyring":
        """Return the keyring with a next key, and without keys whose tokens have all expired.

        A keyring has at most one next key, so a second rotation does nothing while there is one.

        Args:
            now: Seconds since 1970.
            lead_s: How long the next key is published before it signs.

        """
        states = {known.key.kid: known.state for known in self.states(now)}
        kept = [(since, key) for since, key in self._keys if key.kid in states]
        if "next" not in states.values():
            kept.append((int(now) + lead_s, SigningKey.generate()))
        return Keyring(kept)
