"""What happened in a run: the messages that were published, and what each client was given.

The check judges these and nothing else, so a record can also be written by hand. A *stamp* is the run's own
count of steps: the total order against which deliveries are judged. No rule of the protocol may use it.
"""

from collections.abc import Iterable

FOREVER = 1 << 40
NOBODY = -1
REFUSED = -1  # in place of a stamp: it was not done


class Message:
    """Something that was said to a room, to several rooms, or to one socket, without the members of `except_rooms`.

    `stamp` is the step in which the log appended it, 0 if it never did. `lost_at` is the step in which Redis
    forgot it again, 0 if it still has it. `is_witnessed` says whether a gateway that is alive at the end was told that it had
    been appended, `is_acknowledged` whether its publisher was ever told so, `is_refused` whether
    it was told that it had not been, and never would be. `turn` is the publisher and its count; None if it said
    it again somewhere else. One that bypassed the log on its gateway has the connection that it was written to instead, and
    `is_volatile` says that it bypassed the log on its way to all gateways.
    """

    __slots__ = (
        "connection", "except_rooms", "excluded", "is_acknowledged", "is_refused", "is_volatile", "is_witnessed", "lost_at", "number",
        "publisher", "retried", "rooms", "stamp", "turn", "witness",
    )  # fmt: skip

    def __init__(
        self,
        number: int,
        rooms: tuple[str, ...],
        excluded: int = NOBODY,
        except_rooms: tuple[str, ...] = (),
        *,
        is_volatile: bool = False,
    ) -> None:
        self.number = number
        self.rooms = rooms
        self.excluded = excluded
        self.except_rooms = except_rooms
        self.is_volatile = is_volatile
        self.stamp = 0
        self.lost_at = 0
        self.is_witnessed = False
        self.is_acknowledged = False
        self.is_refused = False
        self.turn: tuple[str, int] | None = None
        self.witness: object = None  # the gateway that was told
        self.publisher: object = None  # the gateway that says it
        self.retried = False  # whether its publisher may send it again under the same id
        self.connection: object = None


class Stay:
    """A client's stay in a room: what it asked for and what it was told, in stamps."""

    __slots__ = ("asked", "joined", "leaving", "left")

    def __init__(self, asked: int, joined: int = 0, leaving: int = FOREVER, left: int = FOREVER) -> None:
        self.asked = asked
        self.joined = joined
        self.leaving = leaving
        self.left = left

    def must_have(self, stamp: int) -> bool:
        """Whether the client was certainly a member at that step."""
        return 0 < self.joined < stamp <= self.leaving

    def may_have(self, stamp: int) -> bool:
        """Whether the client may have been a member at that step."""
        return self.asked <= stamp <= self.left


class Era:
    """What a client believes to be one unbroken session: as long as its pid stays.

    `got` holds (message number, stamp, connection) in the order of arrival. A shared era belongs to two
    clients at once (a duplicated tab): what each of them should have got is nobody's promise.
    """

    __slots__ = ("end", "got", "is_shared", "sid", "start", "stays")

    def __init__(self, sid: int, start: int) -> None:
        self.sid = sid
        self.start = start
        self.end = FOREVER
        self.stays: dict[str, list[Stay]] = {}
        self.got: list[tuple[int, int, object]] = []
        self.is_shared = False


class Record:
    """A run: its messages by number, each client's eras in order, and what was found at the end."""

    __slots__ = ("eras", "messages", "stuck", "unexcused_refusals")

    def __init__(
        self,
        messages: Iterable[Message],
        eras: Iterable[list[Era]],
        stuck: int = 0,
        unexcused_refusals: int = 0,
    ) -> None:
        self.messages = {message.number: message for message in messages}
        self.eras = list(eras)
        self.stuck = stuck
        self.unexcused_refusals = unexcused_refusals
