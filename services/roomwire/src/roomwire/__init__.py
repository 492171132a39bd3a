"""Roomwire: a horizontally scaled Socket.IO server.

This package is the library that Roomwire's services are built from. What is imported here is its public
API; CHANGELOG.md says what of it stays stable.
"""

from roomwire.emitter import AsyncEmitter, Emitter
from roomwire.gateways import Gateway, Key, Socket, subscribe
from roomwire.server import Server
from roomwire.tokens import User

__all__ = ["AsyncEmitter", "Emitter", "Gateway", "Key", "Server", "Socket", "User", "subscribe"]
