"""Roomwire: a horizontally scaled Socket.IO server.

This package is the library on which Roomwire's services are built. The names that it exports are its public
API; CHANGELOG.md says which parts stay stable.

Each name is imported when it is first used, so that a process that only emits loads neither the server nor python-socketio.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from roomwire.app.app import App
    from roomwire.gateways import (
        Ack,
        Call,
        Filter,
        Gateway,
        Guard,
        Interceptor,
        Key,
        Pipe,
        Proceed,
        Reply,
        Socket,
        emits,
        mark,
        subscribe,
    )
    from roomwire.identity.tokens import User
    from roomwire.log.emitter import AsyncEmitter, Emitter
    from roomwire.log.kept import Keep
    from roomwire.rooms.users import user_room
    from roomwire.server import Server

__all__ = [
    "Ack",
    "App",
    "AsyncEmitter",
    "Call",
    "Emitter",
    "Filter",
    "Gateway",
    "Guard",
    "Interceptor",
    "Keep",
    "Key",
    "Pipe",
    "Proceed",
    "Reply",
    "Server",
    "Socket",
    "User",
    "emits",
    "mark",
    "subscribe",
    "user_room",
]

_HOMES: Final = {
    "Ack": "roomwire.gateways",
    "App": "roomwire.app.app",
    "AsyncEmitter": "roomwire.log.emitter",
    "Call": "roomwire.gateways",
    "Emitter": "roomwire.log.emitter",
    "Filter": "roomwire.gateways",
    "Gateway": "roomwire.gateways",
    "Guard": "roomwire.gateways",
    "Interceptor": "roomwire.gateways",
    "Keep": "roomwire.log.kept",
    "Key": "roomwire.gateways",
    "Pipe": "roomwire.gateways",
    "Proceed": "roomwire.gateways",
    "Reply": "roomwire.gateways",
    "Server": "roomwire.server",
    "Socket": "roomwire.gateways",
    "User": "roomwire.identity.tokens",
    "emits": "roomwire.gateways",
    "mark": "roomwire.gateways",
    "subscribe": "roomwire.gateways",
    "user_room": "roomwire.rooms.users",
}


def __getattr__(name: str) -> Any:
    """Import a public name; it is kept, so that the next use costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
