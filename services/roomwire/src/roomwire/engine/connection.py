"""One client: its session's state, and the transport that carries it at the moment.

What python-socketio and its users know of a connection has python-engineio's names: `session`, `connected`,
`upgraded`, `closed`.
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
"""How many pings of one connection may be unanswered, and still be confirmed when their pongs come."""

Pulse = Callable[["Connection"], Callable[[], None]]
"""Is called when a ping has been written, behind all that was written before. What it returns is called when the client has
answered that ping; the answers come in the order of the pings."""


class Connection:
    """Drives one session; an `Outlet` for what goes to its client.

    Args:
        state: The session's state.
        environ: The request it began with.
        turn: Has it flushed.
        on_closed: Called once, when the session has ended, with the reason.
        pulse: Is told of pings. Default: nothing is.

    Attributes:
        sid: The session's id.
        state: The session's state.
        environ: The request it began with.
        outbox: See `Outlet`.
        is_due: See `Outlet`.
        members: What it is in each namespace it is connected to; kept by the server's rooms, see `rooms.member.members_of`.
        rates: The rates that its events have to keep to; kept by the server.
        events_refused: How many have been refused since it last paused; kept by the server.
        attachments_refused: How many attachments of a refused event are still to come; kept by the server.
        posts: How many payloads of its are being taken or wait for that; kept by polling.
        pings: What the pulse keeps of pings that were not answered yet.

    """

    __slots__ = (
        "_answer",
        "_is_reported",
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
        self._posting: asyncio.Lock | None = None
        self.posts = 0

    @property
    def posting(self) -> asyncio.Lock:
        """Held by the POST whose messages are being taken; those of the next one come after them."""
        if self._posting is None:
            self._posting = asyncio.Lock()
        return self._posting

    @property
    def session(self) -> dict[str, object]:
        """The application's own data of this client; python-engineio's name."""
        if self._session is None:
            self._session = {}
        return self._session

    @session.setter
    def session(self, data: dict[str, object]) -> None:
        self._session = data

    @property
    def connected(self) -> bool:
        """Whether it lives; python-engineio's name."""
        return self.state.closed is None

    @property
    def closed(self) -> bool:
        """Whether it has ended; python-engineio's name."""
        return self.state.closed is not None

    @property
    def upgraded(self) -> bool:
        """Whether WebSocket is its transport; python-engineio's name."""
        return self.state.transport != POLLING

    def send(self, packet: EnginePacket) -> None:
        """Send a packet over whatever transport it has, at the end of this turn."""
        self._turn.put(self, framed(packet))

    def put(self, frame: bytes) -> None:
        """Send what has been framed."""
        self._turn.put(self, frame)

    def ping(self) -> None:
        """Ping the client now, beside the pings that are due."""
        if self.state.closed is None:
            self.put(framed(PING))
            self._pinged()

    def _pinged(self) -> None:
        """Note that a ping has been written."""
        if self._pulse is not None:
            if self._pings is None:
                self._pings = deque(maxlen=MAX_PINGS)
            self._pings.append(self._pulse(self))

    def ponged(self) -> None:
        """Note that the client has answered a ping."""
        if self._pings:
            self._pings.popleft()()

    def close(self, reason: Reason, exceeded: Bound | None = None) -> None:
        """End it, perhaps because of a bound; the first reason stands."""
        self.state.close(reason, exceeded)
        self.flush()

    def flush(self) -> None:
        """Act on what the state has become; call it after every input to the state."""
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
            # What is said to a client until all know that it has gone.
            self.outbox.clear()
        else:
            self._is_reported = True
            # The transport has been told: let go of it, as it holds this.
            self._wake = None
            self._on_closed(self, state.closed)

    def poll(self) -> "asyncio.Future[list[bytes]] | None":
        """Return what will be the answer to a poll that has come; None if it is refused."""
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
        """Note that the pending poll has waited long enough for an upgrade that is under way."""
        self.state.end_poll()
        self.flush()

    def leave_loop(self) -> None:
        """Note that the event loop has ended on which it was: so has its transport, unless it polls and was between two polls."""
        state = self.state
        is_lost = self.upgraded or state.is_polled
        self._posting = self._wake = self._answer = None
        state.is_polled = state.is_probed = False
        if is_lost:
            self.close(Reason.TRANSPORT_CLOSE)

    def use_socket(self, wake: Callable[[], None]) -> None:
        """Have a WebSocket told, from now on, when there may be something to write or the end has come."""
        if self._answer is not None:
            if not self._answer.done():
                self._answer.set_result([framed(NOOP)])
            self._answer = None
        self._wake = wake
        wake()

    def tick(self, now: float) -> float | None:
        """Do what is due at this time: an alarm of the wheel."""
        pinged_at = self.state.pinged_at
        deadline = self.state.tick(now)
        if self.state.pinged_at != pinged_at:
            self._pinged()
        if self.outbox or self.state.closed is not None:
            self.flush()
        return deadline
