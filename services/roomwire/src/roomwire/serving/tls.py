"""TLS: the public port's certificate, which is reloaded when its files change, and the authorities that verify others.

It uses files and OpenSSL, but no server and no clock: `listener` asks it from time to time to reread the files.
"""

import ssl
from pathlib import Path
from typing import Final

from roomwire.errors import UnusableFile
from roomwire.logs import get_logger

REREAD_S: Final = 10.0
"""The interval at which the files are checked, in seconds."""

_log = get_logger(__name__)


class Certificate:
    """A certificate with its chain, and its key, as PEM files.

    Open connections keep the certificate that they began with. If the files cannot be read or do not match, an error is
    logged, and the known certificate stays in use.

    Args:
        chain: The certificate, followed by the intermediate certificates.
        key: Its private key, without a passphrase.

    Attributes:
        context: The context for a server's connections: TLS 1.2 or newer, HTTP/1.1.

    Raises:
        ConfigurationError: The files cannot be read, or do not match.

    """

    def __init__(self, chain: Path, key: Path) -> None:
        self._chain = chain
        self._key = key
        self.context = _context()
        try:
            self._read = self._contents()
            self._load(self.context)
        except OSError as error:
            # An `ssl.SSLError` is an `OSError`; neither quotes the content of a file.
            raise UnusableFile(
                chain, key, problem=error.strerror, setting="ROOMWIRE_TLS_CERT_FILE, ROOMWIRE_TLS_KEY_FILE"
            ) from None

    def reread(self) -> None:
        """Load the files if their content has changed."""
        try:
            contents = self._contents()
            if contents == self._read:
                return
            # A pair that does not match must not reach the context that connections use.
            self._load(_context())
            self._load(self.context)
        except OSError as error:
            _log.error("certificate not read", file=str(self._chain), error=str(error.strerror))
            return
        self._read = contents
        _log.info("certificate read", file=str(self._chain))

    def _contents(self) -> tuple[bytes, bytes]:
        return self._chain.read_bytes(), self._key.read_bytes()

    def _load(self, context: ssl.SSLContext) -> None:
        # An empty passphrase: OpenSSL would otherwise ask for a required one on a terminal.
        context.load_cert_chain(self._chain, self._key, password="")  # nosec B106 - there is none


def vouched_for_by(authorities: Path) -> ssl.SSLContext:
    """Return a client's context that requires a certificate with the server's name from one of these authorities (PEM).

    Raises:
        ConfigurationError: The file cannot be read, or contains no certificate.

    """
    try:
        return ssl.create_default_context(cafile=str(authorities))
    except OSError as error:
        raise UnusableFile(
            authorities, problem=error.strerror or "the file contains no certificate"
        ) from None


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context
