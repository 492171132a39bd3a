"""A request in the form that python-socketio's handlers get: a dict like WSGI's environ. Pure.

Every transport builds it here, so handlers find the same keys for every transport. Values
that most clients share are stored once.
"""

import sys
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from roomwire.protocol.asgi import Scope
from roomwire.protocol.sources import Proxies, header_of

_PLAIN_NAMES: Final[Mapping[str, str]] = {"CONTENT-TYPE": "CONTENT_TYPE", "CONTENT-LENGTH": "CONTENT_LENGTH"}
_SECRET_OR_UNIQUE: Final = frozenset({"HTTP_AUTHORIZATION", "HTTP_COOKIE", "HTTP_SEC_WEBSOCKET_KEY"})


def environ_of(scope: Scope, headers: Iterable[tuple[str, str]], *, proxies: Proxies) -> dict[str, Any]:
    """Return a request's environ.

    Args:
        scope: The ASGI scope.
        headers: The decoded headers; values of a repeated header are joined by commas.
        proxies: The trusted proxies.

    """
    path, query = scope["path"], scope.get("query_string", b"").decode("latin-1")
    client = scope.get("client") or ("", 0)
    believes = proxies.believes(client[0])
    environ: dict[str, Any] = {
        "wsgi.errors": sys.stderr,
        "wsgi.version": (1, 0),
        "wsgi.async": True,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "SERVER_SOFTWARE": "asgi",
        "REQUEST_METHOD": scope.get("method", "GET"),
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "RAW_URI": f"{path}?{query}" if query else path,
        "SCRIPT_NAME": "",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": "0",
        "SERVER_NAME": "asgi",
        "SERVER_PORT": "0",
        "asgi.scope": scope,
    }
    for name, value in headers:
        if believes(name):
            key = _key(name)
            if key in environ:
                environ[key] = f"{environ[key]},{value}"
            else:
                environ[key] = value if key in _SECRET_OR_UNIQUE else _shared(value)
    environ["wsgi.url_scheme"] = proxies.scheme(client[0], scope.get("scheme", "http"), header_of(environ))
    return environ


def decoded(headers: Iterable[tuple[bytes, bytes]]) -> Iterable[tuple[str, str]]:
    """Return ASGI's headers, decoded as the HTTP standard requires."""
    return ((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers)


@lru_cache(maxsize=512)
def _key(name: str) -> str:
    upper = name.upper()
    return _PLAIN_NAMES.get(upper) or f"HTTP_{upper.replace('-', '_')}"


@lru_cache(maxsize=512)
def _shared(value: str) -> str:
    return value
