"""A request in the form that python-socketio's handlers get: a dict like WSGI's environ. Pure.

Every transport builds it here, so handlers find the same keys for every transport. Values
that most clients share are stored once. A session keeps its first request (`kept`): that has each header once.
"""

import sys
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, overload
from urllib.parse import quote

from roomwire.protocol.asgi import Scope
from roomwire.protocol.sources import Proxies, header_of

_PLAIN_NAMES: Final[Mapping[str, str]] = {"CONTENT-TYPE": "CONTENT_TYPE", "CONTENT-LENGTH": "CONTENT_LENGTH"}
_SECRET_OR_UNIQUE: Final = frozenset({"HTTP_AUTHORIZATION", "HTTP_COOKIE", "HTTP_SEC_WEBSOCKET_KEY"})

_LONGEST_SHARED: Final = 256
"""The length up to which a name or a value is one of those that many clients share, which outlive their sessions."""
_HEADER_BYTES: Final = 256
"""What the objects of one header take beside its text."""


class _Environ(dict[str, Any]):
    """An environ to which its scope may refer."""

    __slots__ = ("__weakref__",)


class RequestScope(dict[str, Any]):
    """The scope of a WebSocket that no ASGI server has made: it has what every connection needs, and makes the rest when asked for.

    The rest would cost every connection as much memory as its environ. It is made from that environ, so the values of a repeated
    header are joined, and headers that are not believed are left out.

    Args:
        scope: What every connection needs.
        server: The host and port of the server.
        state: The state of the application's lifespan.
        complete: Adds what the applications would have added in which the server's is mounted. Default: nothing.

    """

    __slots__ = ("_add", "_environ", "_server", "_state")

    def __init__(
        self,
        scope: Mapping[str, Any],
        *,
        server: object,
        state: Mapping[str, object],
        complete: "Callable[[RequestScope], None] | None" = None,
    ) -> None:
        super().__init__(scope)
        self._add = complete
        self._server = server
        self._state = state
        self._environ: weakref.ref[_Environ] | None = None

    def of(self, environ: Mapping[str, Any]) -> dict[str, Any]:
        """Return an environ, from which the rest will be made."""
        made = _Environ(environ)
        self._environ = weakref.ref(made)
        return made

    def made(self) -> Mapping[str, Any]:
        """Return what has been made until now."""
        return {name: self[name] for name in super().__iter__()}

    def _complete(self) -> None:
        """Make the rest, once."""
        environ = None if self._environ is None else self._environ()
        if environ is None:
            return
        self._environ = None
        path = self["path"]
        protocols = environ.get("HTTP_SEC_WEBSOCKET_PROTOCOL", "")
        self.update(
            {
                "asgi": {"version": "3.0", "spec_version": "2.4"},
                "http_version": "1.1",
                "server": self._server,
                "root_path": "",
                "raw_path": quote(path).encode(),
                "headers": KeptHeaders(_headers(environ), environ),
                "subprotocols": [one.strip() for one in protocols.split(",") if one.strip()],
                "state": dict(self._state),
                "extensions": {"websocket.http.response": {}},
            }
        )
        if self._add is not None:
            self._add(self)

    def __missing__(self, name: str) -> Any:
        self._complete()
        if name not in self:
            raise KeyError(name)
        return self[name]

    def __contains__(self, name: object) -> bool:
        if not super().__contains__(name):
            self._complete()
        return super().__contains__(name)

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of a key, or the default."""
        if name in self:
            return self[name]
        return default

    def __iter__(self) -> Iterator[str]:
        self._complete()
        return super().__iter__()

    def __len__(self) -> int:
        self._complete()
        return super().__len__()

    def keys(self) -> Any:
        """Return the keys, the rest included."""
        self._complete()
        return super().keys()

    def values(self) -> Any:
        """Return the values, the rest included."""
        self._complete()
        return super().values()

    def items(self) -> Any:
        """Return the keys and values, the rest included."""
        self._complete()
        return super().items()

    def copy(self) -> dict[str, Any]:
        """Return an ordinary dict."""
        return dict(self.items())

    def __eq__(self, other: object) -> bool:
        self._complete()
        return super().__eq__(other)

    __hash__ = None  # as every dict's

    def __repr__(self) -> str:
        self._complete()
        return super().__repr__()


def _headers(environ: Mapping[str, Any]) -> Iterator[tuple[bytes, bytes]]:
    """Return the headers of an environ as ASGI has them."""
    for key, value in environ.items():
        if key.startswith("HTTP_") or key in _PLAIN_NAMES.values():
            yield _name_of(key), value.encode("latin-1")


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
            key = _key_of(name)
            if key in environ:
                environ[key] = f"{environ[key]},{value}"
            else:
                is_own = key in _SECRET_OR_UNIQUE or len(value) > _LONGEST_SHARED
                environ[key] = value if is_own else _shared(value)
    if isinstance(scope, RequestScope):
        environ = scope.of(environ)
    environ["wsgi.url_scheme"] = proxies.scheme(client[0], scope.get("scheme", "http"), header_of(environ))
    return environ


class KeptHeaders(Sequence[tuple[bytes, bytes]]):
    """The headers of an ASGI scope, made when they are read from the texts that the environ has of them.

    Args:
        headers: The headers as the server gives them.
        environ: The environ that was made of them.

    Attributes:
        own_bytes: The size of the names and values that the environ does not have.

    """

    __slots__ = ("_fields", "own_bytes")

    def __init__(self, headers: Iterable[tuple[bytes, bytes]], environ: Mapping[str, Any]) -> None:
        self.own_bytes = 0
        # A name that follows from its key in the environ is that key.
        self._fields: list[tuple[str | bytes, str | bytes]] = []
        keys = {key: key for key in environ}
        for name, value in headers:
            key = _key_of(name.decode("latin-1"))
            text = environ.get(key)
            has_name = key in keys and _name_of(key) == name
            if isinstance(text, str) and len(text) == len(value) and text.encode("latin-1") == value:
                self._fields.append((keys[key] if has_name else name, text))
            else:
                self._fields.append((keys[key] if has_name else name, value))
                self.own_bytes += len(value)
            self.own_bytes += 0 if has_name else len(name)

    def __len__(self) -> int:
        return len(self._fields)

    @overload
    def __getitem__(self, index: int) -> tuple[bytes, bytes]: ...
    @overload
    def __getitem__(self, index: slice) -> list[tuple[bytes, bytes]]: ...
    def __getitem__(self, index: int | slice) -> tuple[bytes, bytes] | list[tuple[bytes, bytes]]:
        if isinstance(index, slice):
            return [_field(name, value) for name, value in self._fields[index]]
        return _field(*self._fields[index])

    def __eq__(self, other: object) -> bool:
        return [*self] == other if isinstance(other, list) else self is other

    __hash__ = None  # type: ignore[assignment] # as a list


def _field(name: str | bytes, value: str | bytes) -> tuple[bytes, bytes]:
    return (
        _name_of(name) if isinstance(name, str) else name,
        value.encode("latin-1") if isinstance(value, str) else value,
    )


def _name_of(key: str) -> bytes:
    return key.removeprefix("HTTP_").replace("_", "-").lower().encode("latin-1")


def kept(environ: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the environ as a session keeps it: its scope makes the headers from the environ's texts."""
    scope = environ.get("asgi.scope")
    if isinstance(scope, RequestScope) or not scope or "headers" not in scope:
        return environ
    return {**environ, "asgi.scope": {**scope, "headers": KeptHeaders(scope["headers"], environ)}}


def request_bytes(environ: Mapping[str, Any]) -> int:
    """Return the approximate size of what a kept environ has of its client's input: the target and the headers."""
    scope = environ.get("asgi.scope", {})
    if isinstance(scope, RequestScope):
        scope = scope.made()
    texts = [(key, value) for key, value in environ.items() if isinstance(value, str)]
    size = sum(
        len(value) + (len(key) + _HEADER_BYTES if key.startswith("HTTP_") else 0) for key, value in texts
    )
    headers = scope.get("headers")
    size += headers.own_bytes if isinstance(headers, KeptHeaders) else 0
    return size + len(scope.get("query_string", b"")) + len(scope.get("raw_path", b"") or b"")


def decoded(headers: Iterable[tuple[bytes, bytes]]) -> Iterable[tuple[str, str]]:
    """Return ASGI's headers, decoded as the HTTP standard requires."""
    return ((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers)


def _key_of(name: str) -> str:
    return _key(name) if len(name) <= _LONGEST_SHARED else _key.__wrapped__(name)


@lru_cache(maxsize=512)
def _key(name: str) -> str:
    upper = name.upper()
    return _PLAIN_NAMES.get(upper) or f"HTTP_{upper.replace('-', '_')}"


@lru_cache(maxsize=512)
def _shared(value: str) -> str:
    return value
