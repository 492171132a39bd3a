"""What is measured: a table. Sizes and rates keep every process well below one core, as coalescing begins where it is full."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Talk:
    """Rooms are spoken to, at one rate after the other.

    Attributes:
        rooms: How many.
        size: Members of each, spread evenly over the gateways.
        gateways: How many.
        rates: Messages/s, over all rooms.
        text_bytes: Of a message.
        polling: Whether the members poll; they are spoken to by others, who do not.
        apart: Whether they are spoken to by others, on a gateway before theirs: so that one only takes messages, and the others
            only hear them.
        is_check: Whether the model is checked against it, and not fitted on it.

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
    """A log is published to, past the gateways, as fast as many of them together would.

    Attributes:
        publishes: A second, in ticks of a few milliseconds, as from gateways that are busy.
        keeps: A second: entries of rooms' history.
        hearers: How many hear each publish, as gateways do.
        speakers: How many publish, all in the same moment.
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
    """People come and go.

    Attributes:
        rate: Connections/s; each is closed after a second.
        joins: Whether each enters a room of its own.
        upgrades: Whether each begins by polling, as the official client does.
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
"""Connections that do nothing but answer pings."""
IDLE_CHECK: Final = 2_200
MEMBERS: Final = ((200, 5, 10), (200, 15, 4), (300, 5, 2), (150, 10, 5))
"""Clients who come one lot after the other, the rooms that each enters, and their size; the last are the check."""
KEPT: Final = ((1, 64), (20, 64), (200, 64), (20, 1_000), (100, 400))
"""Messages that are kept in each of a few rooms, and the bytes of each; the last of them is the check."""
LOGINS: Final = (
    ("guests", 100),
    ("guests", 250),
    ("passwords", 20),
    ("passwords", 50),
    ("refreshes", 100),
    ("refreshes", 250),
)
"""What is asked of the auth service, and how often."""
LOGINS_CHECK: Final = (("guests", 180), ("passwords", 36), ("refreshes", 180))
REGISTERED: Final = (50, 300, 150)
"""Gateways in the list of all, when it is read; the last is the check."""
FRAMES: Final = (64, 2_000, 500)
"""Texts, in bytes, whose frames are weighed; the last is the check."""
