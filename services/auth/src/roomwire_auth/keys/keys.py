"""The keys in force, from a keyring, the clock, and the file from which the keyring is reloaded when it changes."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from roomwire.health.dependencies import Dependency
from roomwire.identity.jwk import PublicKey
from roomwire.identity.tokens import SigningKey
from roomwire_auth.keys.keyring import Keyring
from roomwire_auth.reread import Reread


class Keys:
    """Tells which key signs now and which keys are published; also a `roomwire.identity.jwks.KeySource`.

    Args:
        ring: The keys at the start.
        file: File from which newer keys are read (see `Reread`). Default: none; the keys never change.
        clock: Seconds since 1970.
        dependency: Notes whether the file can be read. Default: only the log says so.

    """

    def __init__(
        self,
        ring: Keyring,
        *,
        file: Path | None = None,
        clock: Callable[[], float] = time.time,
        dependency: Dependency | None = None,
    ) -> None:
        self._clock = clock
        self._ring = Reread(
            ring,
            file=file,
            parse=Keyring.parse,
            what="signing keys",
            facts=lambda ring: {"kids": [key.kid for key in ring.published(clock())]},
            clock=clock,
            dependency=dependency,
        )

    def signing(self) -> SigningKey:
        """Return the key that signs now."""
        return self._ring.current().signing(self._clock())

    def published(self) -> Sequence[SigningKey]:
        """Return the keys that verifiers need now."""
        return self._ring.current().published(self._clock())

    async def key(self, kid: str) -> PublicKey | None:
        """Return the public key with this id, if it is published now."""
        return next((key.public_key() for key in self.published() if key.kid == kid), None)
