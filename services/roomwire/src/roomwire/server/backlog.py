"""The events of one connection that are not handled yet, and the decision whether to read on. Pure.

Only events wait: in a line for each namespace, behind those of their namespace. Whatever else a client sends takes effect when it is
read. Two sizes are counted. The bytes of all events that are not handled decide whether the client is read. The cost of the events of
one namespace that have begun decides whether a further one begins: a short event that waits costs little more than its text, while its
handler, suspended, costs a task.
"""

import enum
from collections import deque
from typing import Final, NamedTuple

EVENT_BYTES: Final = 160
"""What an event that waits costs beside its text or its data."""
HANDLING_BYTES: Final = 1_024
"""What an event that has begun counts beside its text or its data when the next one asks to begin."""
TASK_BYTES: Final = 2_560
"""What the suspended handler of an event costs."""
PATIENCE: Final = 4
"""The number of times that the bound may be reached while the server awaits an ack, which may be behind events."""


class Event(NamedTuple):
    """An event that waits.

    Attributes:
        text: The packet; empty if it has been decoded.
        start: Where its JSON begins.
        data: The event's name and arguments, if it has been decoded.
        ack_id: The id of the ack that its client waits for.
        size: Its size in bytes.

    """

    text: str
    start: int
    data: list[object]
    ack_id: int | None
    size: int


class Line:
    """The events of one member that wait or are being handled.

    Attributes:
        events: The events that wait, in the order of their arrival.
        begun_bytes: What those count that have begun.

    """

    __slots__ = ("begun_bytes", "events")

    def __init__(self) -> None:
        self.events: deque[Event] = deque()
        self.begun_bytes = 0


class Verdict(enum.Enum):
    """What to do about a client."""

    READ = enum.auto()
    PAUSE = enum.auto()
    CLOSE = enum.auto()


class Backlog:
    """The unhandled events of one connection.

    Args:
        bound_bytes: The bytes beyond which the client is not read, until half of them are left.

    Attributes:
        held_bytes: The bytes of all events that are not handled.
        early: The events of namespaces whose CONNECT is being decided.
        is_resting: Whether no event begins before the end of the event loop's turn.

    """

    __slots__ = ("_bound_bytes", "early", "held_bytes", "is_resting")

    def __init__(self, bound_bytes: int) -> None:
        self._bound_bytes = bound_bytes
        self.held_bytes = 0
        self.early: dict[str, deque[Event]] = {}
        self.is_resting = False

    def judge(self, *, is_paused: bool, awaits_ack: bool) -> Verdict:
        """Decide whether to read on; ask when an event arrives, before it is added, and when one is handled.

        A single event may be larger than any bound: it is judged when the next one arrives.

        Args:
            is_paused: Whether the client is not read now.
            awaits_ack: Whether the server awaits an ack of the client.

        """
        if awaits_ack:
            return Verdict.CLOSE if self.held_bytes > self._bound_bytes * PATIENCE else Verdict.READ
        bound = self._bound_bytes // 2 if is_paused else self._bound_bytes
        return Verdict.PAUSE if self.held_bytes > bound else Verdict.READ
