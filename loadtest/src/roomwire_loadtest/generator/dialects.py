"""The protocols over the WebSocket: Socket.IO, and centrifuge's own JSON protocol. Pure: bytes only.

A dialect knows the packets of the tutorial's events (`joinRoom` with an ack, `chatMessage` to a room that
receives the text, `echo` with an ack), how to tell an event from an ack, and the form of a ping.
"""

import re
from typing import Final, Protocol

from roomwire_loadtest.generator.masking import STAMP_DIGITS, StampedFrame, masked

TEXT_BYTES: Final = 64
_FILL: Final = b" ".ljust(TEXT_BYTES - STAMP_DIGITS, b"x")


class Dialect(Protocol):
    """What the generator needs to know about a protocol."""

    path: str
    """The path of the WebSocket."""
    event: bytes
    """Bytes that the payload of a room's event contains once."""
    ack: bytes
    """Bytes that the answer to an `echo` contains once."""
    stamp: re.Pattern[bytes]
    """Finds the time stamps in events."""
    pong: bytes
    """A complete frame that answers a ping."""
    echo: bytes
    """A complete frame that asks for an answer, with a text of 64 bytes."""

    def join(self, room: str) -> bytes:
        """Return a complete frame that joins a room and asks for an answer."""

    def is_joined(self, payload: bytes) -> bool:
        """Return whether a payload is that answer."""

    def chat(self, room: str) -> StampedFrame:
        """Return the frame that sends a message to a room, without its time."""

    def is_ping(self, payload: bytes) -> bool:
        """Return whether a payload contains a ping of the protocol."""


class SocketIO:
    """Socket.IO 5 over Engine.IO 4."""

    path = "/socket.io/?EIO=4&transport=websocket"
    event = b'42["roomMessage","'
    ack = b"431["
    stamp = re.compile(rb'42\["roomMessage","(\d{16})')
    pong = masked(b"3")
    echo = masked(b'421["echo","' + b"x" * TEXT_BYTES + b'"]')

    def join(self, room: str) -> bytes:
        """Return `joinRoom`, with an ack."""
        return masked(b'420["joinRoom",{"roomId":"%s"}]' % room.encode())

    def is_joined(self, payload: bytes) -> bool:
        """Return whether this is the ack of `joinRoom`."""
        return payload.startswith(b"430[")

    def chat(self, room: str) -> StampedFrame:
        """Return `chatMessage`."""
        before = b'42["chatMessage",{"roomId":"%s","message":"' % room.encode()
        return StampedFrame(before, _FILL + b'"}]')

    def is_ping(self, payload: bytes) -> bool:
        """Return whether this is Engine.IO's ping."""
        return payload == b"2"


class Centrifuge:
    """Centrifuge's JSON protocol, with one or more lines per frame; its subscription is the join, its RPC the echo."""

    path = "/connection/websocket"
    event = b'{"push":{"channel":"'
    ack = b'{"id":3,"rpc":'
    stamp = re.compile(rb'"pub":\{"data":"(\d{16})')
    pong = masked(b"{}")
    connect = masked(b'{"id":1,"connect":{}}')
    echo = masked(b'{"id":3,"rpc":{"method":"echo","data":"' + b"x" * TEXT_BYTES + b'"}}')

    def join(self, room: str) -> bytes:
        """Return a subscription."""
        return masked(b'{"id":2,"subscribe":{"channel":"%s"}}' % room.encode())

    def is_joined(self, payload: bytes) -> bool:
        """Return whether this is the subscription's answer."""
        return any(line.startswith(b'{"id":2,"subscribe"') for line in payload.split(b"\n"))

    def chat(self, room: str) -> StampedFrame:
        """Return a message without an answer, which the server publishes."""
        before = b'{"send":{"data":{"roomId":"%s","message":"' % room.encode()
        return StampedFrame(before, _FILL + b'"}}}')

    def is_ping(self, payload: bytes) -> bool:
        """Return whether one of the lines is an empty object."""
        return b"{}" in payload and b"{}" in payload.split(b"\n")
