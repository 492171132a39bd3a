"""One Engine.IO session, a connection over one or two transports, as a state machine that knows no socket and no clock.

It is not the session of a client in the log (`roomwire.log.sessions`), which outlives it.

Its shell tells it what happened and what time it is, then looks at what there is to do:

- what is to be sent is put into `outbox`, framed; at the latest at the end of the loop's turn, call `settle`;
- after every input, write `output()` to the active transport: over polling it is the answer to the pending
  poll (`has_answer` says when there is one), over WebSocket what is to be sent, in order;
- when a poll has been pending for `NOOP_INTERVAL_S` in a session that is being probed, call `end_poll`;
- answer a poll that is pending when `finish_probe` is called with a NOOP;
- once `closed` is set, answer a pending poll with `output()` a last time, close the transport, and tell the
  application; no further input changes anything;
- call `tick` when `deadline` has come.

The application's messages come out of `receive`. Source: the Engine.IO protocol, version 4.
"""

import enum
from typing import Final

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
"""How often a poll of a session that is being probed ends without a message, at most, after the first few."""

_QUICK_NOOPS: Final = 2
"""How many end at once: the one that is pending, and the one that the client began before it had read the answer."""


class Reason(enum.StrEnum):
    """Why a session ended, in python-socketio's words where it has some."""

    CLIENT = "client disconnect"
    SERVER = "server disconnect"
    PING_TIMEOUT = "ping timeout"
    TRANSPORT_CLOSE = "transport close"
    TRANSPORT_ERROR = "transport error"
    SLOW = "slow consumer"


class Session:
    """The state of one session.

    Args:
        sid: Its id.
        transport: `polling` or `websocket`: how it began.
        limits: Its bounds.
        now: The time, in seconds of any clock that does not go back.

    Attributes:
        sid: Its id.
        transport: The active transport.
        limits: Its bounds.
        closed: Why it ended, or None while it lives.
        exceeded: The bound that ended it, if one did.
        deadline: When `tick` is to be called.
        outbox: What is to be sent, framed; append to it, then `settle`. Always the same list.
        pinged_at: When its last ping was due; at first, when it began.
        is_polled: Whether a poll is waiting for an answer.
        is_probed: Whether a WebSocket is being tried beside polling.

    """

    __slots__ = (
        "_counted",
        "_noops",
        "_unread_bytes",
        "_waits_for_pong",
        "closed",
        "deadline",
        "exceeded",
        "is_polled",
        "is_probed",
        "limits",
        "outbox",
        "pinged_at",
        "sid",
        "transport",
    )

    def __init__(self, sid: str, *, transport: str, limits: Limits, now: float) -> None:
        self.sid = sid
        self.transport = transport
        self.closed: Reason | None = None
        self.exceeded: Bound | None = None
        self.deadline = limits.due_at(now)
        self.outbox: list[bytes] = []
        self.is_polled = False
        self.is_probed = False
        self.limits = limits
        self._waits_for_pong = False
        self.pinged_at = now
        self._counted = 0
        self._noops = 0
        self._unread_bytes = 0

    def send(self, packet: EnginePacket) -> None:
        """Put a packet out; a client that lets too much pile up is closed."""
        if self.closed is None:
            self.outbox.append(framed(packet))
            self.settle()

    def settle(self) -> None:
        """Count what has been put out since the last time; a client that lets too much pile up is closed."""
        outbox = self.outbox
        if self.closed is not None:
            return
        for frame in outbox[self._counted :] if self._counted else outbox:
            self._unread_bytes += len(frame)
        self._counted = len(outbox)
        if self._unread_bytes > self.limits.max_unread_bytes:
            outbox.clear()
            self.close(Reason.SLOW, Bound.UNREAD_BYTES)

    def receive(self, packet: EnginePacket) -> EnginePacket | None:
        """Take a packet from the active transport; returns the message it carries, if any: hot.

        Raises:
            BadEnginePacket: It is none, or not one a client may send; close the session with `TRANSPORT_ERROR`.

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
        """Note that a poll has come; False if it must be refused, and the session with it."""
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
        """Have the pending poll answered, with a message or without one, if the session is being probed."""
        if self.is_polled and self.is_probed:
            self._noops = max(self._noops, 1)

    def forget_output(self) -> None:
        """Forget what was to be written: it has been, or never will be."""
        self.outbox.clear()
        self._counted = self._unread_bytes = 0

    def output(self) -> list[bytes]:
        """Return what is to be written to the active transport, and forget it."""
        frames = self.outbox.copy()
        self.forget_output()
        if self.transport == POLLING:
            self.is_polled = False
            if not frames:
                # Nothing to say, but the poll has to end: for the upgrade, or for good.
                self._noops -= 1
                frames.append(framed(NOOP if self.closed in {None, Reason.CLIENT} else CLOSE))
        return frames

    def start_probe(self, packet: EnginePacket) -> EnginePacket:
        """Take the first packet of a WebSocket that is to replace polling; returns the answer to it.

        Raises:
            BadEnginePacket: It is no probe, or there is nothing to upgrade: close that WebSocket, not the session.

        """
        if packet != PING + PROBE or self.transport != POLLING or self.is_probed or self.closed is not None:
            raise BadEnginePacket("not a probe, or no session to upgrade")
        self.is_probed = True
        self._noops = _QUICK_NOOPS
        return PONG + PROBE

    def finish_probe(self, packet: EnginePacket) -> None:
        """Take the second packet of that WebSocket: from here on it is the transport, and no poll is pending.

        Raises:
            BadEnginePacket: It is no upgrade.

        """
        if packet != UPGRADE or not self.is_probed or self.closed is not None:
            raise BadEnginePacket("not an upgrade")
        self.is_probed = self.is_polled = False
        self.transport = WEBSOCKET

    def abandon_probe(self) -> None:
        """Note that the WebSocket that was tried is gone; polling goes on."""
        self.is_probed = False

    def close(self, reason: Reason, exceeded: Bound | None = None) -> None:
        """End the session, perhaps because of a bound; the first reason stands."""
        if self.closed is None:
            self.closed = reason
            self.exceeded = exceeded

    def tick(self, now: float) -> float | None:
        """Do what is due at this time; returns when to call it again, or None if that is not needed any more.

        A ping is due an interval after the one before it, if that was answered; see `roomwire.limits.pings`.
        """
        if self.closed is not None:
            return None
        if now >= self.deadline:
            pings = self.limits
            due_at, times_out_at = pings.due_at(self.pinged_at), pings.times_out_at(self.pinged_at)
            if self._waits_for_pong and now >= times_out_at:
                self.close(Reason.PING_TIMEOUT)
                return None
            if self._waits_for_pong:
                # At most an interval ahead: once the pong has come, the next ping may be due before that timeout.
                self.deadline = min(times_out_at, pings.due_at(now))
            elif due_at > now:
                self.deadline = due_at
            else:
                self._waits_for_pong = True
                self.pinged_at = pings.sent_at(due_at, now)
                self.deadline = pings.look_again_at(self.pinged_at)
                self.send(PING)
        return self.deadline
