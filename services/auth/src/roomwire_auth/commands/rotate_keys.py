"""`python -m roomwire_auth rotate-keys`: adds the next signing key to the file that running services read."""

import os
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from roomwire.errors import ConfigurationError, UnusableFile
from roomwire_auth.keys.keyring import Keyring
from roomwire_auth.settings import Settings


def rotate_keys() -> None:
    """Add the next key to ROOMWIRE_SIGNING_KEY_FILE, unless it has one; remove the expired keys."""
    settings = Settings.load()
    file = settings.secret_file("signing_key")
    if file is None or settings.signing_key is None:
        raise ConfigurationError(
            "ROOMWIRE_SIGNING_KEY_FILE is not set: it must name the file whose keys to rotate"
        )
    now = time.time()
    ring = Keyring.parse(settings.signing_key.get_secret_value())
    rotated = ring.rotated(now, lead_s=settings.key_lead_s)
    try:
        _replace(file, rotated.dump())
    except OSError as error:
        raise UnusableFile(file, problem=error.strerror, setting="ROOMWIRE_SIGNING_KEY_FILE") from None
    for line in describe(rotated, now):
        print(line)  # noqa: T201 - this is the command's output


def describe(ring: Keyring, now: float) -> Iterator[str]:
    """Yield a line for each key that is published at a time (seconds since 1970): its id, its state, and until when."""
    for known in ring.states(now):
        until = f" until {datetime.fromtimestamp(known.until, UTC):%Y-%m-%dT%H:%M:%SZ}" if known.until else ""
        yield f"{known.key.kid} {known.state}{until}"


def _replace(file: Path, text: str) -> None:
    """Replace a file in one step and keep its mode; readers see the old file or the new one."""
    mode = file.stat().st_mode & 0o777
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as new:
            new.write(text)
            new.flush()
            os.fchmod(new.fileno(), mode)
            os.fsync(new.fileno())
        Path(name).replace(file)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
