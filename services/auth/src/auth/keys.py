"""The keys in force: a keyring, the clock, and the file that the keyring is read from again when it changes."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from auth.keyring import Keyring
from roomwire.errors import ConfigurationError
from roomwire.logs import get_logger
from roomwire.tokens import SigningKey

REREAD_S: Final = 10.0
"""How often the file is looked at, at most, in seconds."""

_log = get_logger(__name__)


class Keys:
    """Tells which key signs now, and which are published.

    The file is read again when somebody asks for a key, at most every `REREAD_S`. One that cannot be read, or is no
    keyring, is a line in the log, and the keys that are known go on being used.

    Args:
        ring: The keys at the start.
        file: Where newer ones will be. Default: nowhere, these are used for good.
        clock: Seconds since 1970.

    """

    def __init__(
        self, ring: Keyring, *, file: Path | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._ring = ring
        self._file = file
        self._clock = clock
        self._read_at = clock()
        self._text: str | None = None

    def signing(self) -> SigningKey:
        """Return the key that signs now."""
        return self._current().signing(self._clock())

    def published(self) -> Sequence[SigningKey]:
        """Return the keys that verifiers have to know now."""
        return self._current().published(self._clock())

    def _current(self) -> Keyring:
        now = self._clock()
        # A clock that was set back must not keep the file from being read.
        if self._file is not None and not 0 <= now - self._read_at < REREAD_S:
            self._read_at = now
            self._read(self._file)
        return self._ring

    def _read(self, file: Path) -> None:
        try:
            text = file.read_text(encoding="utf-8")
            if text == self._text:
                return
            self._ring = Keyring.parse(text)
        except (OSError, UnicodeError, ConfigurationError) as error:
            _log.error("signing keys not read", file=str(file), error=type(error).__name__)
            return
        if self._text is not None:
            _log.info("signing keys read", kids=[key.kid for key in self._ring.published(self._clock())])
        self._text = text
