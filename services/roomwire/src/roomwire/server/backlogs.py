"""The backlogs of all connections: lets events wait, begins them, and pauses the reading of clients.

`roomwire.server.backlog` decides; this module counts, charges the accounts, and acts. The rules and their reasons are in
docs/decisions/backpressure.md.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Callable
from typing import Final

from roomwire.engine.connection import Connection
from roomwire.engine.session import Reason
from roomwire.limits.accounts import DECODED
from roomwire.limits.bounds import Bound
from roomwire.limits.client import Limits
from roomwire.rooms.manager import Rooms
from roomwire.rooms.member import Member, members_of
from roomwire.server.backlog import EVENT_BYTES, HANDLING_BYTES, TASK_BYTES, Backlog, Event, Line, Verdict

_LEFT_IN_ORDER: Final = frozenset({Reason.CLIENT, Reason.TRANSPORT_CLOSE})
"""The reasons of an end after which the events that were read before it are handled all the same, as in python-socketio."""


class Backlogs:
    """The unhandled events of the clients of one server.

    Args:
        rooms: The clients, and the acks that the server awaits.
        limits: The limits of one client.
        is_sequential: Returns whether function handlers get the events of a namespace one at a time.
        exceeded: Counts an exceeded limit.
        drained: Is told of each member that has left and whose last event has begun.

    Attributes:
        begin: Begins an event of a member that waited.
        leaving: The members that have left while events of theirs wait, by id.

    """

    def __init__(
        self,
        rooms: Rooms,
        limits: Limits,
        *,
        is_sequential: Callable[[], bool],
        exceeded: Callable[[Bound], None],
        drained: Callable[[Member], None],
    ) -> None:
        self._rooms = rooms
        self._bound_bytes = limits.max_waiting_events_bytes
        self._is_sequential = is_sequential
        self._exceeded = exceeded
        self._drained = drained
        self._left_bytes = 0
        self.begin: Callable[[Member, Event], None] = lambda _, __: None
        self.leaving: dict[str, Member] = {}

    def leave_loop(self) -> None:
        """Discard the pending state of an event loop that has ended."""
        left, self.leaving = self.leaving, {}
        self._left_bytes = 0
        for member in left.values():
            self._drained(member)

    # Events that wait.

    def must_wait(self, member: Member) -> bool:
        """Return whether an event that arrives now has to wait."""
        line = member.line
        return (line is not None and bool(line.events)) or self._is_held(member)

    def _is_held(self, member: Member) -> bool:
        backlog, line = member.connection.unhandled, member.line
        return (
            (isinstance(backlog, Backlog) and backlog.is_resting)
            or (line is not None and line.begun_bytes > self._bound_bytes)
            or (member.lane is None and member.handling > 0 and self._is_sequential())
        )

    def add(self, member: Member, event: Event) -> None:
        """Let an event of a member wait."""
        if self._grows(member.connection, event.size):
            _line_of(member).events.append(event)

    def add_early(self, connection: Connection, namespace: str, event: Event) -> None:
        """Let an event wait for the decision about its client."""
        if self._grows(connection, event.size):
            self._backlog_of(connection).early.setdefault(namespace, deque()).append(event)

    def is_early(self, connection: Connection, namespace: str) -> bool:
        """Return whether events of a namespace wait for the decision about its client."""
        backlog = connection.unhandled
        return isinstance(backlog, Backlog) and namespace in backlog.early

    def connected(self, member: Member) -> None:
        """Let the events begin that arrived before the decision about their client."""
        backlog = member.connection.unhandled
        if isinstance(backlog, Backlog) and (early := backlog.early.pop(member.namespace, None)):
            _line_of(member).events.extend(early)
            self._go_on(member)

    def drop_early(self, connection: Connection, namespace: str) -> None:
        """Drop the events of a client that is not connected."""
        backlog = connection.unhandled
        if isinstance(backlog, Backlog) and (early := backlog.early.pop(namespace, None)):
            self._shrinks(connection, sum(event.size for event in early))

    def rest(self, connection: Connection) -> None:
        """Let no event of a connection begin before the end of this turn: whoever waited for its ack continues first."""
        backlog = self._backlog_of(connection)
        if not backlog.is_resting:
            backlog.is_resting = True
            asyncio.get_running_loop().call_soon(self._end_rest, connection, backlog)

    def _end_rest(self, connection: Connection, backlog: Backlog) -> None:
        backlog.is_resting = False
        for member in members_of(connection):
            self._go_on(member)
        for member in [one for one in self.leaving.values() if one.connection is connection]:
            self._go_on(member)

    def _go_on(self, member: Member) -> None:
        """Begin the events of a member that need not wait any longer."""
        line = member.line
        if line is None:
            return
        is_leaving = member.sid in self.leaving and self.leaving[member.sid] is member
        while line.events and not self._is_held(member):
            event = line.events.popleft()
            if is_leaving:
                self._left_bytes -= event.size
            self._shrinks(member.connection, event.size)
            self.begin(member, event)
        if is_leaving and not line.events:
            del self.leaving[member.sid]
            self._drained(member)

    # Events that have begun.

    def begun(self, member: Member, size: int) -> None:
        """Count an event that has begun and is not handled yet: a handler awaits, or a gateway's lane has it: hot."""
        _line_of(member).begun_bytes += size + HANDLING_BYTES
        self._grows(member.connection, size + EVENT_BYTES, costs=size * DECODED + TASK_BYTES)

    def handled(self, member: Member, size: int) -> None:
        """Note that an event that was counted by `begun` has been handled: hot."""
        line = _line_of(member)
        line.begun_bytes -= size + HANDLING_BYTES
        self._shrinks(member.connection, size + EVENT_BYTES, costs=size * DECODED + TASK_BYTES)
        if line.events:
            self._go_on(member)

    # The end of a member.

    def left(self, member: Member, reason: str) -> None:
        """Note that a member leaves: its events that functions handle go on if it left by itself, the others are dropped.

        All clients that have left may have as much waiting as one that is connected.
        """
        line = member.line
        if line is None or not line.events:
            return
        size = sum(event.size for event in line.events)
        is_kept = member.lane is None and reason in _LEFT_IN_ORDER
        if is_kept and self._left_bytes + size <= self._bound_bytes:
            self._left_bytes += size
            self.leaving[member.sid] = member
            return
        if is_kept:
            self._exceeded(Bound.WAITING_EVENTS)
        line.events.clear()
        self._shrinks(member.connection, size)

    # The reading of clients.

    def look_again(self, connection: Connection) -> None:
        """Decide anew whether to read a client: the server awaits an ack of it."""
        backlog = self._backlog_of(connection)
        if self._verdict(connection, backlog) is Verdict.CLOSE:
            connection.close(Reason.BACKLOG, Bound.BACKLOG)
        else:
            self._act(connection, backlog)

    def _grows(self, connection: Connection, size: int, costs: int | None = None) -> bool:
        """Count further bytes of a connection; return False if it is closed because of those before them.

        Args:
            connection: The connection.
            size: The bytes.
            costs: What its account is charged. Default: the bytes.

        """
        backlog = self._backlog_of(connection)
        if self._verdict(connection, backlog) is Verdict.CLOSE:
            connection.close(Reason.BACKLOG, Bound.BACKLOG)
        backlog.held_bytes += size
        connection.account.hold(size if costs is None else costs)
        if backlog.held_bytes > self._bound_bytes:
            self._act(connection, backlog)
        return not connection.closed

    def _shrinks(self, connection: Connection, size: int, costs: int | None = None) -> None:
        backlog = self._backlog_of(connection)
        backlog.held_bytes -= size
        connection.account.hold(-(size if costs is None else costs))
        if connection.state.is_paused:
            self._act(connection, backlog)

    def _act(self, connection: Connection, backlog: Backlog) -> None:
        is_paused = connection.state.is_paused
        verdict = self._verdict(connection, backlog)
        if verdict is Verdict.PAUSE and not is_paused:
            self._exceeded(Bound.WAITING_EVENTS)
            connection.pause_reading()
        elif verdict is Verdict.READ and is_paused:
            connection.resume_reading()

    def _verdict(self, connection: Connection, backlog: Backlog) -> Verdict:
        if backlog.held_bytes <= self._bound_bytes // 2:
            return Verdict.READ
        return backlog.judge(is_paused=connection.state.is_paused, awaits_ack=self._awaits_ack(connection))

    def _awaits_ack(self, connection: Connection) -> bool:
        """Return whether the server awaits an ack of a connection, in any namespace."""
        acks = self._rooms.callbacks
        # Besides the acks that are awaited, python-socketio stores their counter here.
        return any(len(acks.get(member.sid, ())) > 1 for member in members_of(connection))

    def _backlog_of(self, connection: Connection) -> Backlog:
        backlog = connection.unhandled
        if not isinstance(backlog, Backlog):
            backlog = connection.unhandled = Backlog(self._bound_bytes)
        return backlog


def _line_of(member: Member) -> Line:
    line: Line | None = member.line
    if line is None:
        line = member.line = Line()
    return line


def waiting_text(text: str, start: int, ack_id: int | None) -> Event:
    """Return a text event that waits as it came."""
    return Event(text, start, [], ack_id, sys.getsizeof(text) + EVENT_BYTES)


def waiting_data(data: list[object], ack_id: int | None, size: int) -> Event:
    """Return a decoded event that waits."""
    return Event("", 0, data, ack_id, size + EVENT_BYTES)
