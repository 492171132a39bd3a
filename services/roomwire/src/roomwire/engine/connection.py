"""One client: the state of its session and its current transport.

Names that python-socketio and its users know are python-engineio's: `session`, `connected`, `upgraded`, `closed`.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from roomwire.engine.session import POLLING, Reason, Session
from roomwire.engine.turn import Turn
from roomwire.limits.bounds import Bound
from roomwire.limits.rate import EventRate
from roomwire.protocol.packets import NOOP, PING, EnginePacket, framed

MAX_PINGS: Final = 8
"""The number of unanswered pings of one connection that are still confirmed when their pongs arrive."""

Pulse = Callable[["Connection"], Callable[[], None]]
"""Called when a ping has been written, after everything that was written before. It returns a function that is called when the
client has answered that ping; answers arrive in the order of the pings."""


class Connection:
    """Drives one session; an `Outlet` for the frames to its client.

    Args:
        state: The session's state.
        environ: The session's first request.
        turn: The turn that flushes the connection.
        on_closed: Called once, when the session has ended, with the reason.
        pulse: Told of pings. Default: none.

    Attributes:
        sid: The session's id.
        state: The session's state.
        environ: The session's first request.
        outbox: See `Outlet`.
        is_due: See `Outlet`.
        members: The client's member in each connected namespace; kept by the server's rooms, see `rooms.member.members_of`.
        rates: The rate limits of its events; kept by the server.
        events_refused: The number of refused events since it last paused; kept by the server.
        attachments_refused: The number of attachments of a refused event that are still to come; kept by the server.
        posts: The number of payloads that are processed or wait for that; kept by polling.
        pings: The pulse's functions for pings that are not answered yet.

    """

    __slots__ = (
        "_answer",
        "_is_reported",
        "_is_stuck",
        "_on_closed",
        "_pings",
        "_posting",
        "_pulse",
        "_session",
        "_turn",
        "_wake",
        "attachments_refused",
        "environ",
        "events_refused",
        "is_due",
        "members",
        "outbox",
        "posts",
        "rates",
        "sid",
        "state",
    )

    def __init__(
        self,
        state: Session,
        environ: Mapping[str, object],
        turn: Turn,
        on_closed: "Callable[[Connection, Reason], None]",
        pulse: Pulse | None = None,
    ) -> None:
        self.sid = state.sid
        self.state = state
        self.environ = environ
        self.outbox = state.outbox
        self.is_due = False
        self.members: tuple[object, ...] = ()
        self.rates: tuple[EventRate, ...] = ()
        self.events_refused = 0
        self.attachments_refused = 0
        self._turn = turn
        self._pings: deque[Callable[[], None]] | None = None
        self._on_closed = on_closed
        self._pulse = pulse
        self._is_reported = False
        self._session: dict[str, object] | None = None
        self._answer: asyncio.Future[list[bytes]] | None = None
        self._wake: Callable[[], None] | None = None
        self._is_stuck: Callable[[], bool] | None = None
        self._posting: asyncio.Lock | None = None
        self.posts = 0

    @property
    def posting(self) -> asyncio.Lock:
        """The lock of the POST whose messages are processed; the next POST waits for it."""
        if self._posting is None:
            self._posting = asyncio.Lock()
        return self._posting

    @property
    def session(self) -> dict[str, object]:
        """The application's data of this client; python-engineio's name."""
        if self._session is None:
            self._session = {}
        return self._session

    @session.setter
    def session(self, data: dict[str, object]) -> None:
        self._session = data

    @property
    def connected(self) -> bool:
        """Whether the session is open; python-engineio's name."""
        return self.state.closed is None

    @property
    def closed(self) -> bool:
        """Whether the session has ended; python-engineio's name."""
        return self.state.closed is not None

    @property
    def upgraded(self) -> bool:
        """Whether the transport is WebSocket; python-engineio's name."""
        return self.state.transport != POLLING

    def send(self, packet: EnginePacket) -> None:
        """Send a packet over the current transport, at the end of this turn."""
        self._turn.put(self, framed(packet))

    def put(self, frame: bytes) -> None:
        """Send an encoded frame."""
        self._turn.put(self, frame)

    def ping(self) -> None:
        """Ping the client now, in addition to the scheduled pings."""
        if self.state.closed is None:
            self.put(framed(PING))
            self._pinged()

    def _pinged(self) -> None:
        """Note that a ping was written."""
        if self._pulse is not None:
            if self._pings is None:
                self._pings = deque(maxlen=MAX_PINGS)
            self._pings.append(self._pulse(self))

    def ponged(self) -> None:
        """Note that the client answered a ping."""
        if self._pings:
            self._pings.popleft()()

    def close(self, reason: Reason, exceeded: Bound | None = None) -> None:
        """End the session, perhaps because of a bound; only the first reason counts."""
        self.state.close(reason, exceeded)
        self.flush()

    def flush(self) -> None:
        """Act on the session's state; call it after every input to the state."""
        state = self.state
        if self._wake is not None:
            self._wake()
        else:
            state.settle()
            if self._answer is not None and state.has_answer:
                if not self._answer.done():
                    self._answer.set_result(state.output())
                self._answer = None
        if state.closed is None:
            return
        if self._is_reported:
            # Frames that were sent after the end, before all senders knew of it.
            self.outbox.clear()
        else:
            self._is_reported = True
            # The transport knows of the end. Release it, as it refers to this object.
            self._wake = self._is_stuck = None
            self._on_closed(self, state.closed)

    def poll(self) -> "asyncio.Future[list[bytes]] | None":
        """Return a future of the answer to a new poll; None if the poll is refused."""
        if not self.state.poll():
            self.flush()
            return None
        answer = self._answer = asyncio.get_running_loop().create_future()
        self.flush()
        return answer

    def cancel_poll(self) -> None:
        """Note that the pending poll's connection was lost."""
        self._answer = None
        self.state.cancel_poll()
        self.flush()

    def end_poll(self) -> None:
        """Note that the pending poll has waited long enough for the upgrade in progress."""
        self.state.end_poll()
        self.flush()

    def leave_loop(self) -> None:
        """Note that the event loop has ended, and the transport with it, unless the session is between two polls."""
        state = self.state
        is_lost = self.upgraded or state.is_polled
        self._posting = self._wake = self._is_stuck = self._answer = None
        state.is_polled = state.is_probed = False
        if is_lost:
            self.close(Reason.TRANSPORT_CLOSE)

    def use_socket(self, wake: Callable[[], None], is_stuck: Callable[[], bool]) -> None:
        """Carry the session over a WebSocket from now on.

        Args:
            wake: Called when there may be something to write, and at the end.
            is_stuck: Returns whether the client does not read what has been written.

        """
        if self._answer is not None:
            if not self._answer.done():
                self._answer.set_result([framed(NOOP)])
            self._answer = None
        self._wake, self._is_stuck = wake, is_stuck
        wake()

    @property
    def is_congested(self) -> bool:
        """Whether something of an earlier turn still waits: for the client to read, or for its next poll: hot."""
        return self.state.has_unread if self._is_stuck is None else self._is_stuck()

    def tick(self, now: float) -> float | None:
        """Perform the actions that are due at this time: an alarm of the wheel."""
        pinged_at = self.state.pinged_at
        deadline = self.state.tick(now)
        if self.state.pinged_at != pinged_at:
            self._pinged()
        if self.outbox or self.state.closed is not None:
            self.flush()
        return deadline
