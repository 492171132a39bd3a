"""The cases of the protocols' own suites, in our words, so that none is forgotten.

Socket.IO's suite repeats the first part of Engine.IO's on its own path: those are tested by one test on both.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

Test = TypeVar("Test", bound=Callable[..., object])

HANDSHAKE = (
    "handshake, polling: opens a session",
    "handshake, polling: wrong EIO",
    "handshake, polling: wrong transport",
    "handshake, polling: wrong method",
    "handshake, websocket: opens a session",
    "handshake, websocket: wrong EIO",
    "handshake, websocket: wrong transport",
)
LIFE = (
    "heartbeat, polling: pings and pongs",
    "heartbeat, polling: timeout",
    "heartbeat, websocket: pings and pongs",
    "heartbeat, websocket: timeout",
    "close, polling: by the client",
    "close, websocket: by the client",
    "upgrade: websocket takes over",
    "upgrade: polling is over",
    "upgrade: no second websocket",
)
ENGINE_MESSAGES = (
    "message, polling: one text",
    "message, polling: several texts",
    "message, polling: text and binary",
    "message, polling: malformed payload",
    "message, polling: two polls at a time",
    "message, polling: cancelled poll",
    "message, websocket: text",
    "message, websocket: binary",
    "message, websocket: malformed packet",
)
SOCKET_PACKETS = (
    "connect: main namespace",
    "connect: main namespace, with auth",
    "connect: custom namespace",
    "connect: custom namespace, with auth",
    "connect: unknown namespace",
    "connect: malformed",
    "connect: never",
    "disconnect: main namespace",
    "disconnect: custom namespace",
    "message: text",
    "message: binary",
    "message: text with ack",
    "message: binary with ack",
    "message: unknown packet type",
    "message: malformed payload",
    "message: malformed ack id",
)
ENGINE_IO = (*HANDSHAKE, *ENGINE_MESSAGES, *LIFE)
SOCKET_IO = (*HANDSHAKE, *LIFE, *SOCKET_PACKETS)


class Cases:
    """Which cases a test module has to hold, and which it holds."""

    def __init__(self, required: Sequence[str]) -> None:
        self.missing = set(required)

    def __call__(self, *names: str) -> Callable[[Test], Test]:
        """Return a decorator for the test of some cases."""
        self.missing.difference_update(names)
        return lambda test: test
