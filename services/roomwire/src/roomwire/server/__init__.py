"""The Socket.IO server; see `roomwire.server.server`."""

from roomwire.server.server import Server

__all__ = ["Server"]
