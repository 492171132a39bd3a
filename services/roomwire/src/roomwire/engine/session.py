"""One Engine.IO session, a connection over one or two transports, as a state machine that knows no socket and no clock.

The session of a client in the log (`roomwire.log.sessions`) is something else, and outlives this one.

Its shell reports each event and the time, then checks what to do:

- put frames to send into `outbox`; call `settle` at the end of the loop's turn at the latest;
- after every input, write `output()` to the active transport: over polling it is the answer to the pending
  poll (`has_answer` tells whether there is one), over WebSocket it is the frames to send, in order;
- while more than `max_unread_bytes` wait for the client (`unread_bytes`), check that it makes progress (`outputs`);
- when a poll has been pending for `NOOP_INTERVAL_S` in a session that is being probed, call `end_poll`;
- if a poll is pending when `finish_probe` is called, answer it with a NOOP;
- once `closed` is set, answer a pending poll with `output()` one last time, close the transport, and tell the
  application; no further input changes anything;
- call `tick` when `deadline` has come;
- call `pause_reading` and `resume_reading` around the time in which nothing is read from the client.

`receive` returns the application's messages. Source: the Engine.IO protocol, version 4.
"""

import enum
from typing import Final

from roomwire.limits.accounts import FIRST_MARK, Account
from roomwire.limits.bounds import Bound
from roomwire.limits.client import Limits
from roomwire.protocol.packets import (
    CLOSE,
    MESSAGE,
    NOOP,
    PING,
    PONG,
    PROBE,
    UPGRADE,
    BadEnginePacket,
    EnginePacket,
    framed,
)

WEBSOCKET: Final = "websocket"
POLLING: Final = "polling"

NOOP_INTERVAL_S: Final = 0.1
"""The minimum time between polls of a probed session that end without a message, after the first few."""

_QUICK_NOOPS: Final = 2
"""The number of polls that end at once: the pending one, and the one that the client began before it read the answer."""


class Reason(enum.StrEnum):
    """Why a session ended, in python-socketio's words where it has them."""

    CLIENT = "client disconnect"
    SERVER = "server disconnect"
    PING_TIMEOUT = "ping timeout"
    TRANSPORT_CLOSE = "transport close"
    TRANSPORT_ERROR = "transport error"
    SLOW = "slow consumer"
    HELD = "held too much"
    BACKLOG = "too many unhandled events"


class Session:
    """The state of one session.

    Args:
        sid: Its id.
        transport: `polling` or `websocket`: the transport of the first request.
        limits: Its limits.
        now: The time in seconds, of any monotonic clock.
        account: Charged with the output that `settle` has counted. Default: none.

    Attributes:
        sid: Its id.
        transport: The active transport.
        unread_bytes: The bytes of the outbox, as `settle` has counted them.
        limits: Its limits.
        closed: Why it ended, or None while it is open.
        exceeded: The bound that ended it, if one did.
        deadline: When `tick` is to be called.
        outbox: The frames to send; append to it, then `settle`. Always the same list.
        outputs: The number of times that its output was taken.
        pinged_at: The time when its last ping was due; initially, the time when it began.
        is_polled: Whether a poll is waiting for an answer.
        is_probed: Whether a WebSocket is being probed beside polling.

    """

    __slots__ = (
        "_account",
        "_asked_at",
        "_counted",
        "_noops",
        "_not_read_s",
        "_paused_at",
        "_waits_for_pong",
        "closed",
        "deadline",
        "exceeded",
        "is_polled",
        "is_probed",
        "limits",
        "outbox",
        "outputs",
        "pinged_at",
        "sid",
        "transport",
        "unread_bytes",
    )

    def __init__(
        self, sid: str, *, transport: str, limits: Limits, now: float, account: Account | None = None
    ) -> None:
        self.sid = sid
        self._account = account
        self.transport = transport
        self.closed: Reason | None = None
        self.exceeded: Bound | None = None
        self.deadline = limits.due_at(now)
        self.outbox: list[bytes] = []
        self.is_polled = False
        self.is_probed = False
        self.limits = limits
        self._waits_for_pong = False
        self._asked_at = now
        self._paused_at: float | None = None
        self._not_read_s = 0.0
        self.pinged_at = now
        self._counted = 0
        self._noops = 0
        self.outputs = 0
        self.unread_bytes = 0

    def send(self, packet: EnginePacket) -> None:
        """Send a packet; see `settle`."""
        if self.closed is None:
            self.outbox.append(framed(packet))
            self.settle()

    def settle(self) -> None:
        """Count the frames that were added to the outbox since the last call.

        They are let through, however many they are, unless the process or the client's account is beyond its first mark: then a
        client with more than `max_unread_bytes` of unsent output is closed.
        """
        outbox = self.outbox
        if self.closed is not None:
            return
        added = 0
        for frame in outbox[self._counted :] if self._counted else outbox:
            added += len(frame)
        self._counted = len(outbox)
        if not added:
            return
        most, account = self.limits.max_unread_bytes, self._account
        is_over = self.unread_bytes + added > most and (
            self.unread_bytes > FIRST_MARK * most if account is None else account.is_beyond(most)
        )
        self.unread_bytes += added
        if account is not None:
            account.hold(added)
        if is_over:
            outbox.clear()
            self.close(Reason.SLOW, Bound.UNREAD_BYTES)

    def receive(self, packet: EnginePacket) -> EnginePacket | None:
        """Process a packet from the active transport; return the message that it carries, if any: hot.

        Raises:
            BadEnginePacket: The packet is invalid, or a client may not send it; close the session with `TRANSPORT_ERROR`.

        """
        if self.closed is not None:
            return None
        if isinstance(packet, bytes):
            return packet
        if packet[:1] == MESSAGE:
            return packet[1:]
        if packet == PONG:
            self._waits_for_pong = False
        elif packet == CLOSE:
            self.close(Reason.CLIENT)
        else:
            raise BadEnginePacket(f"not a packet that a client may send: {packet[:16]!r}")
        return None

    def poll(self) -> bool:
        """Note that a poll has arrived; False if it must be refused, and the session closed."""
        if self.is_polled:
            self.close(Reason.TRANSPORT_ERROR)
            return False
        self.is_polled = True
        return True

    def cancel_poll(self) -> None:
        """Note that the pending poll's connection was lost before its answer."""
        self.is_polled = False
        self.close(Reason.TRANSPORT_CLOSE)

    @property
    def has_answer(self) -> bool:
        """Whether the pending poll can be answered now."""
        may_end = self.is_probed and self._noops > 0
        return self.is_polled and (bool(self.outbox) or may_end or self.closed is not None)

    def end_poll(self) -> None:
        """If the session is being probed, end the pending poll, with or without a message."""
        if self.is_polled and self.is_probed:
            self._noops = max(self._noops, 1)

    @property
    def has_unread(self) -> bool:
        """Whether something that was put out before the last `settle` has not been taken."""
        return self._counted > 0

    def forget_output(self) -> None:
        """Drop the pending output: it has been written, or never will be."""
        self.outbox.clear()
        if self.unread_bytes and self._account is not None:
            self._account.hold(-self.unread_bytes)
        self._counted = self.unread_bytes = 0
        self.outputs += 1

    def output(self) -> list[bytes]:
        """Return the frames to write to the active transport, and drop them."""
        frames = self.outbox.copy()
        self.forget_output()
        if self.transport == POLLING:
            self.is_polled = False
            if not frames:
                # There is no frame, but the poll must end: for the upgrade, or for good.
                self._noops -= 1
                frames.append(framed(NOOP if self.closed in {None, Reason.CLIENT} else CLOSE))
        return frames

    def start_probe(self, packet: EnginePacket) -> EnginePacket:
        """Process the first packet of a WebSocket that is to replace polling; return the answer.

        Raises:
            BadEnginePacket: It is not a probe, or there is nothing to upgrade: close that WebSocket, not the session.

        """
        if packet != PING + PROBE or self.transport != POLLING or self.is_probed or self.closed is not None:
            raise BadEnginePacket("not a probe, or no session to upgrade")
        self.is_probed = True
        self._noops = _QUICK_NOOPS
        return PONG + PROBE

    def finish_probe(self, packet: EnginePacket) -> None:
        """Process the second packet of that WebSocket: from now on it is the transport, and no poll is pending.

        Raises:
            BadEnginePacket: It is not an upgrade.

        """
        if packet != UPGRADE or not self.is_probed or self.closed is not None:
            raise BadEnginePacket("not an upgrade")
        self.is_probed = self.is_polled = False
        self.transport = WEBSOCKET

    def abandon_probe(self) -> None:
        """Note that the probed WebSocket is gone; polling continues."""
        self.is_probed = False

    def close(self, reason: Reason, exceeded: Bound | None = None) -> None:
        """End the session, perhaps because of a bound; only the first reason counts."""
        if self.closed is None:
            self.closed = reason
            self.exceeded = exceeded

    @property
    def is_paused(self) -> bool:
        """Whether nothing is read from the client."""
        return self._paused_at is not None

    def pause_reading(self, now: float) -> None:
        """Note that nothing is read from the client from now on; idempotent."""
        if self._paused_at is None:
            self._paused_at = now

    def resume_reading(self, now: float) -> None:
        """Note that the client is read again; the time of the pause does not count against the ping timeout. Idempotent."""
        paused_at, self._paused_at = self._paused_at, None
        if paused_at is not None and self._waits_for_pong:
            self._not_read_s += max(now - max(paused_at, self._asked_at), 0.0)
            self.deadline = min(self.deadline, self._times_out_at)

    @property
    def _times_out_at(self) -> float:
        """When a client is gone that has not answered the oldest unanswered ping, while it is read."""
        return self.limits.times_out_at(self._asked_at) + self._not_read_s

    def tick(self, now: float) -> float | None:
        """Perform the actions that are due at this time; return when to call it again, or None if that is no longer needed.

        A ping is due one interval after the previous one, if that was answered; see `roomwire.limits.pings`. While the client is
        not read, its pongs cannot arrive: it is pinged all the same, as it would close the connection otherwise, and it does not
        time out.
        """
        if self.closed is not None:
            return None
        if now >= self.deadline:
            pings = self.limits
            due_at, times_out_at = pings.due_at(self.pinged_at), self._times_out_at
            is_due_to_answer = self._waits_for_pong and not self.is_paused
            if is_due_to_answer and now >= times_out_at:
                self.close(Reason.PING_TIMEOUT)
                return None
            if is_due_to_answer:
                # At most one interval ahead: once the pong arrives, the next ping may be due before that timeout.
                self.deadline = min(times_out_at, pings.due_at(now))
            elif due_at > now:
                self.deadline = due_at
            else:
                self.pinged_at = pings.sent_at(due_at, now)
                if not self._waits_for_pong:
                    self._waits_for_pong = True
                    self._asked_at, self._not_read_s = self.pinged_at, 0.0
                self.deadline = pings.look_again_at(self.pinged_at)
                self.send(PING)
        return self.deadline
