"""A client as its gateway sees it."""

from collections import deque
from typing import Any

from model.pipe import Signal
from model.transport import Transport

NEW, REPLAYING, LIVE, DEAD = range(4)


class Socket:
    """One namespace of one connection. A member of its rooms while it is replaying or live.

    `known` is the position up to which the client has answered for everything; `answered` the epoch of the last ping that
    it answered since the last heartbeat, or 0.
    """

    __slots__ = (
        "answered", "arrived", "claim", "is_receipt_due", "known", "pid", "pings", "queued", "requests",
        "rooms", "state", "tick", "transport",
    )  # fmt: skip

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.state = NEW
        self.pid = 0
        self.claim = 0
        self.rooms: dict[str, int] = {}  # with the stamp of the stay, for the record
        self.queued: list[tuple[Any, ...]] = []  # what was said live during the replay
        self.tick: list[tuple[Any, ...]] = []  # frames that a bug holds back
        self.requests: deque[tuple[Any, ...]] = deque()
        self.arrived = Signal()
        self.known = 0
        self.answered = 0
        self.pings = 0
        self.is_receipt_due = False

    def write(self, *frame: Any) -> None:
        """Send a frame behind all others."""
        self.transport.write(frame)

    def flush(self) -> None:
        """Send what was held back."""
        for frame in self.tick:
            self.transport.write(frame)
        self.tick.clear()
