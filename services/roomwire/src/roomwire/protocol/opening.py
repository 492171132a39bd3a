"""A WebSocket's opening handshake: from the request's bytes to python-engineio's environ and the answer.

Pure. Source: RFC 6455, section 4.2.
"""

import binascii
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

import httptools

from roomwire.protocol.answers import Header, acceptance, http_answer
from roomwire.protocol.deflate import agreement
from roomwire.protocol.environ import RequestScope, environ_of
from roomwire.protocol.extensions import BadExtensions, offered_extensions
from roomwire.protocol.sources import Proxies

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_VERSION: Final = "13"
_KEY_BYTES: Final = 16
_REQUEST_LINE_PARTS: Final = 3
_WS_SCHEMES: Final = {"http": "ws", "https": "wss"}
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class BadUpgrade(Exception):
    """A request that is not a handshake.

    Args:
        answer: The complete answer to it.

    """

    def __init__(self, answer: bytes) -> None:
        super().__init__(answer)
        self.answer = answer


class Upgrade(NamedTuple):
    """A request for a WebSocket.

    Attributes:
        environ: The request as python-engineio describes one.
        protocols: The subprotocols that the client offers, in its order of preference.
        key: The proof that the server has read the request, in base64.
        rest: The bytes after the request.

    """

    environ: dict[str, object]
    protocols: Sequence[str]
    key: bytes
    rest: bytes

    @property
    def protocol(self) -> str:
        """The first subprotocol that the client offers, to be chosen where there is no choice; empty if it offers none.

        A client that offers subprotocols fails the connection if none of them is chosen: RFC 6455, section 4.1.
        """
        return self.protocols[0] if self.protocols else ""

    def deflate_headers(self) -> Sequence[Header]:
        """Return the header that accepts permessage-deflate; none if the client makes no offer that can be accepted.

        Raises:
            BadUpgrade: The client's header is malformed: RFC 6455, section 9.1.

        """
        value = self.environ.get("HTTP_SEC_WEBSOCKET_EXTENSIONS")
        if value is None:
            return ()
        try:
            agreed = agreement(offered_extensions(str(value)))
        except BadExtensions:
            raise BadUpgrade(_BAD_REQUEST) from None
        return [(b"Sec-WebSocket-Extensions", agreed.encode())] if agreed else ()

    def answer_with(self, protocol: str, headers: Iterable[Header] = ()) -> bytes:
        """Return the answer that accepts the request.

        Args:
            protocol: The chosen subprotocol. Empty if none is chosen.
            headers: Further headers of the answer.

        Raises:
            ValueError: A header contains a line break.

        """
        more = [(b"Sec-WebSocket-Protocol", protocol.encode("latin-1"))] if protocol else []
        return acceptance(self.key, [*more, *headers])


_BAD_REQUEST: Final = http_answer(HTTPStatus.BAD_REQUEST, kind="text/plain")


class Target(NamedTuple):
    """The target of a request, in either form: a path alone, or a path behind a scheme and a host.

    Attributes:
        path: The decoded path.
        raw_path: The path as received.
        query: The query as received, without the `?`.

    """

    path: str
    raw_path: bytes
    query: bytes


def read_target(target: bytes) -> Target:
    """Read a request's target exactly as uvicorn does for HTTP, so that one path has one meaning everywhere.

    Raises:
        BadUpgrade: The target is invalid.

    """
    try:
        parsed = httptools.parse_url(target)
        raw: bytes = parsed.path or b""
        path = unquote(raw.decode("ascii"))
    except (httptools.HttpParserError, UnicodeDecodeError):
        raise BadUpgrade(_BAD_REQUEST) from None
    if not raw.startswith(b"/"):
        raise BadUpgrade(_BAD_REQUEST)
    return Target(path, raw, parsed.query or b"")


def offered_protocols(value: str) -> Sequence[str]:
    """Return the subprotocols of a `Sec-WebSocket-Protocol` header; the values of a repeated header are joined by a comma.

    Raises:
        BadUpgrade: The value is not a list of distinct tokens: RFC 6455, section 4.1.

    """
    protocols = [protocol.strip(" \t") for protocol in value.split(",")]
    if len({*protocols}) < len(protocols) or not all(map(_TOKEN.fullmatch, protocols)):
        raise BadUpgrade(_BAD_REQUEST)
    return protocols


def read_upgrade(
    request: bytes,
    peer: Any,
    *,
    scheme: str,
    proxies: Proxies,
    server: Any = None,
    state: Mapping[str, object] = MappingProxyType({}),
    complete: Callable[[RequestScope], None] | None = None,
) -> Upgrade:
    """Read a request that the HTTP parser has passed on.

    Args:
        request: The bytes.
        peer: The peer's address, as asyncio has it; None if it has none.
        scheme: The scheme of the connection, `http` or `https`.
        proxies: The trusted proxies.
        server: The server's address, as asyncio has it. Default: unknown.
        state: The state of the application's lifespan. Default: none.
        complete: See `RequestScope`.

    Raises:
        BadUpgrade: The request is not a handshake of RFC 6455.

    """
    head, end, rest = request.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    parts = first.split(" ")
    if not end or len(parts) != _REQUEST_LINE_PARTS:
        raise BadUpgrade(_BAD_REQUEST)
    method, target, version = parts
    path, _, query = read_target(target.encode("latin-1"))
    known = {
        "type": "websocket",
        "path": path,
        "query_string": query,
        "client": tuple(peer[:2]) if peer else None,
        "scheme": _WS_SCHEMES.get(scheme, scheme),
    }
    scope = RequestScope(known, server=tuple(server[:2]) if server else None, state=state, complete=complete)
    environ = environ_of(scope, map(_field, lines), proxies=proxies)
    if method != "GET":
        raise BadUpgrade(http_answer(HTTPStatus.METHOD_NOT_ALLOWED, b"", (b"Allow", b"GET")))
    if version != "HTTP/1.1" or not _asks(environ):
        raise BadUpgrade(_BAD_REQUEST)
    if environ.get("HTTP_SEC_WEBSOCKET_VERSION") != _VERSION:
        raise BadUpgrade(
            http_answer(HTTPStatus.UPGRADE_REQUIRED, b"", (b"Sec-WebSocket-Version", _VERSION.encode()))
        )
    offer = environ.get("HTTP_SEC_WEBSOCKET_PROTOCOL")
    protocols = () if offer is None else offered_protocols(offer)
    return Upgrade(environ, protocols, _accept(environ.get("HTTP_SEC_WEBSOCKET_KEY", "")), rest)


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name, value.strip(" \t")


def websocket_scope(
    request: bytes,
    upgrade: Upgrade,
    *,
    scheme: str,
    server: object,
    client: object,
    root_path: str,
) -> dict[str, object]:
    """Return the ASGI scope of a request; like uvicorn, it leaves trust in proxies to the application.

    Args:
        request: The request.
        upgrade: The parsed request.
        scheme: `ws` or `wss`.
        server: The host and port of the server.
        client: The host and port of the client.
        root_path: The path under which the application is mounted.

    Raises:
        BadUpgrade: The target is invalid.

    """
    head = request.partition(b"\r\n\r\n")[0]
    first, *lines = head.split(b"\r\n")
    path, raw_path, query = read_target(first.split(b" ")[1])
    fields = (line.partition(b":") for line in lines)
    return {
        "type": "websocket",
        "http_version": "1.1",
        "scheme": scheme,
        "server": server,
        "client": client,
        "root_path": root_path,
        "path": root_path + path,
        "raw_path": root_path.encode("ascii") + raw_path,
        "query_string": query,
        "headers": [(name.lower(), value.strip(b" \t")) for name, _, value in fields],
        "subprotocols": list(upgrade.protocols),
        "extensions": {"websocket.http.response": {}},
    }


def _asks(headers: Mapping[str, str]) -> bool:
    """Return whether a request asks for a WebSocket; both headers may contain other values as well."""
    return "websocket" in _tokens(headers.get("HTTP_UPGRADE", "")) and "upgrade" in _tokens(
        headers.get("HTTP_CONNECTION", "")
    )


def _tokens(value: str) -> list[str]:
    return [token.strip(" \t").lower() for token in value.split(",")]


def _accept(key: str) -> bytes:
    try:
        is_valid = len(binascii.a2b_base64(key, strict_mode=True)) == _KEY_BYTES
    except ValueError:
        is_valid = False
    if not is_valid:
        raise BadUpgrade(_BAD_REQUEST)
    digest = hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()
    return binascii.b2a_base64(digest, newline=False)
