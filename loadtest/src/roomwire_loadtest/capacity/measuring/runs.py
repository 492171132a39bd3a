"""The table of measurements. Sizes and rates keep every process well below one core, because a full one coalesces messages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Talk:
    """Messages to rooms, at one rate after another.

    Attributes:
        rooms: The number of rooms.
        size: Members of each room, spread evenly over the gateways.
        gateways: The number of gateways.
        rates: Messages/s, over all rooms.
        text_bytes: Length of a message's text.
        polling: Whether the members poll; other clients, which do not poll, send the messages.
        apart: Whether other clients send the messages, on a gateway before the members' gateways: then one gateway only accepts
            messages, and the others only receive them.
        is_check: Whether the model is checked against this run instead of fitted on it.

    """

    rooms: int
    size: int
    gateways: int
    rates: Sequence[float]
    text_bytes: int = 64
    polling: bool = False
    apart: bool = False
    is_check: bool = False

    def __str__(self) -> str:
        how = "polled by" if self.polling else "of"
        rooms = "1 room" if self.rooms == 1 else f"{self.rooms} rooms"
        over = f"{self.gateways} gateway{'s' * (self.gateways > 1)}"
        return f"{rooms} {how} {self.size} on {over}{', spoken to from another' * self.apart}, {self.text_bytes} bytes"


@dataclass(frozen=True)
class Busy:
    """Publishes to a log without gateways, as fast as many gateways together.

    Attributes:
        publishes: Publishes per second, in ticks of a few milliseconds, as from busy gateways.
        keeps: Entries of rooms' history per second.
        hearers: The number of receivers of each publish, in the place of gateways.
        speakers: The number of publishers, all at the same moment.
        is_check: See `Talk`.

    """

    publishes: float
    keeps: float = 0.0
    hearers: int = 0
    speakers: int = 1
    is_check: bool = False

    def __str__(self) -> str:
        return f"a log alone: {self.publishes:g} publishes/s of {self.speakers}, {self.keeps:g} kept/s, {self.hearers} hear"


@dataclass(frozen=True)
class Churn:
    """Clients connect and disconnect.

    Attributes:
        rate: Connections/s; each is closed after a second.
        joins: Whether each client joins its own room.
        upgrades: Whether each client begins by polling, as the official client does.
        is_check: See `Talk`.

    """

    rate: float
    joins: bool = False
    upgrades: bool = False
    is_check: bool = False

    def __str__(self) -> str:
        how = "polling first" if self.upgrades else "WebSocket"
        return f"{self.rate:g} come and go a second, {how}{', and join' * self.joins}"


TALKS: Final = (
    Talk(rooms=100, size=2, gateways=1, rates=(100, 400, 1_000, 1_800)),
    Talk(rooms=30, size=10, gateways=1, rates=(100, 400, 1_000)),
    Talk(rooms=1, size=200, gateways=1, rates=(15, 80, 250)),
    Talk(rooms=40, size=10, gateways=2, rates=(150, 500, 1_200)),
    Talk(rooms=60, size=4, gateways=4, rates=(200, 800)),
    Talk(rooms=1, size=400, gateways=4, rates=(20, 150)),
    Talk(rooms=50, size=3, gateways=1, rates=(200, 800), apart=True),
    Talk(rooms=20, size=30, gateways=1, rates=(50, 200), apart=True),
    Talk(rooms=20, size=12, gateways=3, rates=(100, 500), apart=True),
    Talk(rooms=20, size=10, gateways=1, rates=(150, 600), text_bytes=2_000),
    Talk(rooms=1, size=100, gateways=1, rates=(40, 200), text_bytes=2_000),
    Talk(rooms=40, size=2, gateways=1, rates=(40, 150), polling=True),
    Talk(rooms=4, size=10, gateways=1, rates=(20, 50), polling=True),
    Talk(rooms=12, size=25, gateways=2, rates=(100, 500), is_check=True),
    Talk(rooms=3, size=120, gateways=3, rates=(60, 240), is_check=True),
    Talk(rooms=50, size=6, gateways=2, rates=(250, 1_000), text_bytes=500, is_check=True),
    Talk(rooms=15, size=4, gateways=1, rates=(80,), polling=True, is_check=True),
)
BUSY: Final = (
    Busy(publishes=500),
    Busy(publishes=3_000),
    Busy(publishes=12_000),
    Busy(publishes=3_000, speakers=10),
    Busy(publishes=6_000, speakers=20),
    Busy(publishes=500, hearers=4),
    Busy(publishes=3_000, hearers=4),
    Busy(publishes=0, keeps=200),
    Busy(publishes=0, keeps=1_000),
    Busy(publishes=6_000, keeps=800),
    Busy(publishes=6_000, hearers=2, is_check=True),
    Busy(publishes=2_000, keeps=600, hearers=3, is_check=True),
    Busy(publishes=4_000, speakers=12, hearers=2, is_check=True),
)
CHURNS: Final = (
    Churn(rate=30),
    Churn(rate=100),
    Churn(rate=20, upgrades=True),
    Churn(rate=70, upgrades=True),
    Churn(rate=30, joins=True),
    Churn(rate=90, joins=True),
    Churn(rate=40, joins=True, upgrades=True, is_check=True),
)
IDLE: Final = (500, 1_500, 3_000)
"""Numbers of connections that only answer pings."""
IDLE_CHECK: Final = 2_200
MEMBERS: Final = ((200, 5, 10), (200, 15, 4), (300, 5, 2), (150, 10, 5))
"""Batches of clients, which connect one after another: their number, the rooms that each joins, and the size of these; the last batch is the check."""
KEPT: Final = ((1, 64), (20, 64), (200, 64), (20, 1_000), (100, 400))
"""Numbers of messages that are kept in each of a few rooms, and the bytes of each; the last one is the check."""
LOGINS: Final = (
    ("guests", 100),
    ("guests", 250),
    ("passwords", 20),
    ("passwords", 50),
    ("refreshes", 100),
    ("refreshes", 250),
)
"""Requests to the auth service, and how often each is made."""
LOGINS_CHECK: Final = (("guests", 180), ("passwords", 36), ("refreshes", 180))
REGISTERED: Final = (50, 300, 150)
"""Numbers of gateways in the list when it is read; the last one is the check."""
FRAMES: Final = (64, 2_000, 500)
"""Lengths of texts, in bytes, whose frames are measured; the last one is the check."""
