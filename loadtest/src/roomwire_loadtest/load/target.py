"""The address of a system, parsed once and strictly, and connections to it."""

import http.client
import re
import socket
import ssl
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class WrongUrl(ValueError):
    """The text is not the address of a system."""

    def __init__(self, url: str, reason: str) -> None:
        # A password in the URL must not reach a log.
        shown = re.sub(r"//[^/@]*@", "//...@", url)
        super().__init__(f"{shown!r} is not the address of a system: {reason}.")


@dataclass(frozen=True, kw_only=True)
class Target:
    """The ingress of a system.

    Attributes:
        is_safe: Whether it uses TLS.
        host: Its name or address, without brackets.
        port: Its port.
        authority: The value of the Host header.
        prefix: The path before `/auth` and `/socket.io/`; empty for most systems, without a slash at its end.

    """

    is_safe: bool
    host: str
    port: int
    authority: str
    prefix: str

    @classmethod
    def of(cls, url: str) -> "Target":
        """Return the target of a URL; raises WrongUrl."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise WrongUrl(url, str(error)) from error
        if parts.scheme not in _DEFAULT_PORTS:
            raise WrongUrl(url, "it must begin with http:// or https://")
        if not parts.hostname:
            raise WrongUrl(url, "it names no host")
        if parts.username is not None or parts.query or parts.fragment:
            raise WrongUrl(url, "it may have a host, a port and a path, and nothing else")
        if any(not "!" <= letter <= "~" for letter in url):
            raise WrongUrl(url, "it must consist of ASCII characters without spaces")
        return cls(
            is_safe=parts.scheme == "https",
            host=parts.hostname,
            port=_DEFAULT_PORTS[parts.scheme] if port is None else port,
            authority=parts.netloc,
            prefix=parts.path.rstrip("/"),
        )

    def http(self, timeout_s: float) -> http.client.HTTPConnection:
        """Return an HTTP connection that opens with its first request."""
        if self.is_safe:
            return http.client.HTTPSConnection(self.authority, timeout=timeout_s)
        return http.client.HTTPConnection(self.authority, timeout=timeout_s)

    def connected(self, timeout_s: float) -> socket.socket:
        """Return a connected socket, with TLS if the target uses it; raises `OSError`."""
        plain = socket.create_connection((self.host, self.port), timeout_s)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self.is_safe:
            return plain
        return ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)
