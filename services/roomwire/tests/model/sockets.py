"""A client as its gateway sees it."""

from collections import deque
from typing import Any

from model.pipe import Signal
from model.transport import Transport
from roomwire.log.positions import START, Epoch
from roomwire.log.sessions import Sid, Tenure
from roomwire.log.streams import Stream

NEW, REPLAYING, LIVE, DEAD = range(4)


class Socket:
    """One namespace of one connection. A member of its rooms while it is replaying or live.

    `known` is the position up to which the client has answered for everything; `answered` the epoch of the last ping that
    it answered since the last heartbeat, or None. `claim` is 0 until it speaks for a session.
    """

    __slots__ = (
        "answered", "arrived", "claim", "is_receipt_due", "known", "pings", "queued", "requests", "rooms",
        "sid", "state", "tick", "transport",
    )  # fmt: skip

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.state = NEW
        self.sid = Sid("")
        self.claim = 0
        self.rooms: dict[Stream, int] = {}  # with the stamp of the stay, for the record
        self.queued: list[tuple[Any, ...]] = []  # what was said live during the replay
        self.tick: list[tuple[Any, ...]] = []  # frames that a bug holds back
        self.requests: deque[tuple[Any, ...]] = deque()
        self.arrived = Signal()
        self.known = START
        self.answered: Epoch | None = None
        self.pings = 0
        self.is_receipt_due = False

    @property
    def tenure(self) -> Tenure:
        """Its right to speak for its session."""
        return Tenure(self.sid, self.claim)

    def write(self, *frame: Any) -> None:
        """Send a frame behind all others."""
        self.transport.write(frame)

    def flush(self) -> None:
        """Send what was held back."""
        for frame in self.tick:
            self.transport.write(frame)
        self.tick.clear()
