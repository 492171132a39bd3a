"""One client: the state of its session and its current transport.

Names that python-socketio and its users know are python-engineio's: `session`, `connected`, `upgraded`, `closed`.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from roomwire.engine.session import POLLING, Reason, Session
from roomwire.engine.turn import Turn
from roomwire.engine.wheel import Alarm
from roomwire.limits.accounts import Account, Accounts
from roomwire.limits.bounds import Bound
from roomwire.limits.rate import EventRate
from roomwire.protocol.packets import NOOP, PING, EnginePacket, framed

MAX_PINGS: Final = 8
"""The number of unanswered pings of one connection that are confirmed when their pongs arrive; further ones are only counted."""

_LOOKS: Final = 4
"""The number of times that the progress of a client is checked within the time in which it must make some."""

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
        account: What the connection holds. Default: an account of its own.
        alarm_in: Has an alarm called after a delay. Default: a client that does not read is closed by its pings alone.

    Attributes:
        sid: The session's id.
        state: The session's state.
        environ: The session's first request.
        account: What the connection holds; closed with the session.
        household: The address that the session is counted for, or an empty string; None once it is not counted any more.
        outbox: See `Outlet`.
        is_due: See `Outlet`.
        members: The client's member in each connected namespace; kept by the server's rooms, see `rooms.member.members_of`.
        rates: The rate limits of its events; kept by the server.
        connects: The number of its CONNECTs that were admitted; kept by the server.
        events_refused: The number of refused events since it last paused; kept by the server.
        attachments_refused: The number of attachments of a refused event that are still to come; kept by the server.
        unhandled: Its events that are not handled yet; kept by the server. None before one had to wait.
        posts: The number of payloads that are processed or wait for that; kept by polling.
        pings: The pulse's functions for pings that are not answered yet.

    """

    __slots__ = (
        "__weakref__",
        "_alarm_in",
        "_answer",
        "_auth_bytes",
        "_backlog",
        "_hold",
        "_idle_looks",
        "_is_reported",
        "_is_stuck",
        "_on_closed",
        "_pings",
        "_posting",
        "_pulse",
        "_readable",
        "_session",
        "_taken",
        "_turn",
        "_wake",
        "account",
        "attachments_refused",
        "connects",
        "environ",
        "events_refused",
        "household",
        "is_due",
        "members",
        "outbox",
        "posts",
        "rates",
        "sid",
        "state",
        "unhandled",
    )

    def __init__(
        self,
        state: Session,
        environ: Mapping[str, object],
        turn: Turn,
        on_closed: "Callable[[Connection, Reason], None]",
        pulse: Pulse | None = None,
        *,
        account: Account | None = None,
        alarm_in: Callable[[float, Alarm], None] | None = None,
    ) -> None:
        self.sid = state.sid
        self.account = account or Accounts().open(state.sid, self.cut)
        self.household: str | None = None
        self._auth_bytes = 0
        self.state = state
        self.environ = environ
        self.outbox = state.outbox
        self.is_due = False
        self.members: tuple[object, ...] = ()
        self.rates: tuple[EventRate, ...] = ()
        self.connects = 0
        self.events_refused = 0
        self.attachments_refused = 0
        self.unhandled: object = None
        self._turn = turn
        self._pings: deque[Callable[[], None] | None] | None = None
        self._on_closed = on_closed
        self._pulse = pulse
        self._is_reported = False
        self._session: dict[str, object] | None = None
        self._answer: asyncio.Future[list[bytes]] | None = None
        self._wake: Callable[[], None] | None = None
        self._is_stuck: Callable[[], bool] | None = None
        self._backlog: Callable[[], tuple[int, int]] | None = None
        self._alarm_in = alarm_in
        self._taken: int | None = None
        self._idle_looks = 0
        self._posting: asyncio.Lock | None = None
        self._hold: Callable[[bool], None] | None = None
        self._readable: asyncio.Event | None = None
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
                self._pings = deque()
            # A client that is not read is pinged many times before its first pong arrives.
            self._pings.append(self._pulse(self) if len(self._pings) < MAX_PINGS else None)

    def ponged(self) -> None:
        """Note that the client answered a ping."""
        if self._pings and (confirm := self._pings.popleft()) is not None:
            confirm()

    def pause_reading(self) -> None:
        """Read nothing more from the client until `resume_reading`; idempotent."""
        if not self.state.is_paused and self.state.closed is None:
            self.state.pause_reading(asyncio.get_running_loop().time())
            if self._hold is not None:
                self._hold(True)  # noqa: FBT003 - a callback has no names

    def resume_reading(self) -> None:
        """Read from the client again; idempotent."""
        if self.state.is_paused:
            self.state.resume_reading(asyncio.get_running_loop().time())
            if self._hold is not None:
                self._hold(False)  # noqa: FBT003 - a callback has no names
            self._wake_readers()

    async def readable(self) -> None:
        """Wait until the client is read, or has ended: for transports that read in a task."""
        while self.state.is_paused and self.state.closed is None:
            if self._readable is None:
                self._readable = asyncio.Event()
            await self._readable.wait()

    def _wake_readers(self) -> None:
        if self._readable is not None:
            self._readable.set()
            self._readable = None

    def close(self, reason: Reason, exceeded: Bound | None = None) -> None:
        """End the session, perhaps because of a bound; only the first reason counts."""
        self.state.close(reason, exceeded)
        self.flush()

    def keep_auth(self, size: int) -> None:
        """Charge what is kept of the payloads with which its members connected: their JSON, of this size."""
        self.account.hold(size - self._auth_bytes)
        self._auth_bytes = size

    def cut(self) -> None:
        """End the session without its output: it holds more than the process can afford."""
        self._cut(Reason.HELD, Bound.HELD_BYTES)

    def _cut(self, reason: Reason, exceeded: Bound) -> None:
        self.state.close(reason, exceeded)
        self.state.forget_output()
        self.flush()

    def backlog(self) -> tuple[int, int]:
        """Return the bytes that wait for the client, and a number that grows when it takes some of its output."""
        return (self.state.unread_bytes, self.state.outputs) if self._backlog is None else self._backlog()

    def watch_backlog(self) -> None:
        """Close the client as a slow consumer if it makes no progress while more waits for it than the limit; idempotent."""
        if self._taken is None and self._alarm_in is not None and self.state.closed is None:
            _, self._taken = self.backlog()
            self._idle_looks = 0
            self._alarm_in(self.state.limits.unread_timeout_s / _LOOKS, self._look)

    def _look(self, now: float) -> float | None:
        """Check whether the client has taken any of its output since the last look: an alarm of the wheel."""
        state = self.state
        unread_bytes, taken = self.backlog()
        if state.closed is not None or unread_bytes <= state.limits.max_unread_bytes:
            self._taken = None
            return None
        has_progressed = self._taken is None or taken > self._taken
        self._idle_looks = 0 if has_progressed else self._idle_looks + 1
        self._taken = taken
        if self._idle_looks == _LOOKS:
            self._cut(Reason.SLOW, Bound.UNREAD_BYTES)
            return None
        return now + state.limits.unread_timeout_s / _LOOKS

    def flush(self) -> None:
        """Act on the session's state; call it after every input to the state."""
        state = self.state
        if self._wake is not None:
            self._wake()
        else:
            state.settle()
            if state.unread_bytes > state.limits.max_unread_bytes and self._answer is None:
                self.watch_backlog()
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
            self._wake = self._is_stuck = self._backlog = self._hold = None
            self._wake_readers()
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
        self._posting = self._wake = self._is_stuck = self._backlog = self._answer = None
        self._hold = self._readable = None
        state.is_polled = state.is_probed = False
        if is_lost:
            self.close(Reason.TRANSPORT_CLOSE)

    def use_socket(
        self,
        wake: Callable[[], None],
        is_stuck: Callable[[], bool],
        backlog: Callable[[], tuple[int, int]],
        hold: Callable[[bool], None] | None = None,
    ) -> None:
        """Carry the session over a WebSocket from now on.

        Args:
            wake: Called when there may be something to write, and at the end.
            is_stuck: Returns whether the client does not read what has been written.
            backlog: Returns the bytes that wait for the client, and a number that grows when it reads.
            hold: Called with True to stop reading, and with False to read again. Default: the reader waits for `readable`.

        """
        if self._answer is not None:
            if not self._answer.done():
                self._answer.set_result([framed(NOOP)])
            self._answer = None
        self._wake, self._is_stuck, self._backlog, self._hold = wake, is_stuck, backlog, hold
        if self._taken is not None:
            _, self._taken = backlog()
            self._idle_looks = 0
        if hold is not None and self.state.is_paused:
            hold(True)  # noqa: FBT003 - a callback has no names
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
