"""The load: thousands of clients in one thread, which reads whole chunks and inspects as few frames as possible.

It owns the connections once they are open. Every frame is counted (see `scanner`), even if it is
split over reads; latencies are taken from the time stamps that a sample of the members receives. Rates are
offered on schedule whatever the server does, and latency counts from the time at which a message was due, so a
server (or this generator) that falls behind cannot hide it.
"""

import contextlib
import gc
import select
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from roomwire_loadtest.generator.dialects import Dialect
from roomwire_loadtest.generator.links import Link
from roomwire_loadtest.generator.masking import PONG, StampedFrame, masked
from roomwire_loadtest.generator.percentile import percentile
from roomwire_loadtest.generator.scanner import CLOSE, PING, TEXT, FrameError, Uniform, uniform_from, walk

_FRONT: Final = 65_536
"""Space in front of the buffer for the beginning of a frame from an earlier read."""
_READ_BYTES: Final = 262_144
_EVENTS: Final = 128
"""Maximum number of connections read before the next check whether a message is due."""
_BURST: Final = 32
"""Maximum number of messages sent before the next check for incoming data."""
_HOPELESS_S: Final = 0.5
_TICK_S: Final = 0.01
_PAUSE_NS: Final = 200_000
"""Pause between rounds of reading that found little: data that arrives meanwhile is read at once, with a single wake-up."""

Speaker = tuple[Link, StampedFrame]


@dataclass(frozen=True)
class Burst:
    """The result of one rate."""

    sent: int
    expected: int
    arrived: int
    latencies_ns: list[int]
    given_up: bool

    @property
    def share(self) -> float:
        """The share of the expected deliveries that arrived."""
        return self.arrived / self.expected if self.expected else 0.0

    def latency_ms(self, share: float) -> float | None:
        """Return a percentile of the latency, with messages that did not arrive included; None if the percentile did not arrive."""
        arrived = min(1.0, self.share)
        if share >= arrived:
            return None
        value = percentile(self.latencies_ns, share / arrived)
        return None if value is None else value / 1e6


class Crowd:
    """Connected clients.

    Args:
        links: Their open WebSockets.
        dialect: Their protocol.
        sampled: One of this many members reports its latencies; 0 for none.

    """

    def __init__(self, links: Sequence[Link], dialect: Dialect, *, sampled: int = 1) -> None:
        self._dialect = dialect
        self._epoll = select.epoll()
        self._links: dict[int, Link] = {}
        self._receive: dict[int, Callable[[memoryview], int]] = {}
        self._sampled = {link.sock.fileno() for link in links[::sampled]} if sampled else set()
        self._buffer = bytearray(_FRONT + _READ_BYTES)
        self._view = memoryview(self._buffer)[_FRONT:]
        self._carry: dict[int, bytes] = {}
        self._pending: dict[int, bytes] = {}
        self._uniform: Uniform | None = None
        self._counted = dialect.event
        self._latencies_ns: list[int] = []
        self.arrived = 0
        self.outstanding = 0
        self.lost = 0
        self.pings = 0
        self.add(links)

    def add(self, links: Sequence[Link]) -> None:
        """Add more clients, which report no latencies."""
        for link in links:
            fd = link.sock.fileno()
            self._links[fd] = link
            self._receive[fd] = link.sock.recv_into
            self._epoll.register(fd, select.EPOLLIN)
            if link.inbox:
                self._buffer[_FRONT : _FRONT + len(link.inbox)] = link.inbox
                self._take(fd, len(link.inbox))

    @property
    def links(self) -> Sequence[Link]:
        """The connections that are still open."""
        return list(self._links.values())

    def close(self) -> None:
        """Close all connections at once; idempotent."""
        self._epoll.close()
        self.part(len(self._links))

    def part(self, count: int) -> None:
        """Close the most recently opened connections."""
        for fd in list(self._links)[len(self._links) - count :]:
            self._drop(fd)

    def idle(self, seconds: float) -> None:
        """Only answer pings."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._read(left)

    def settle(self, seconds: float) -> bool:
        """Wait until all deliveries have arrived; returns whether they have, and no connection was lost."""
        deadline = time.monotonic() + seconds
        while self.outstanding > self.arrived and not self.lost and time.monotonic() < deadline:
            self._flush()
            self._read(_TICK_S)
        return self.outstanding == self.arrived and not self.lost and not self._pending

    def offer(
        self,
        speakers: Sequence[Speaker],
        members: int,
        rate: float,
        seconds: float,
        *,
        grace_s: float,
        patience_s: float = _HOPELESS_S,
    ) -> Burst:
        """Send messages at a rate, in turn, each of which `members` clients should receive.

        Args:
            speakers: The senders, with their frames.
            members: Number of receivers of each message.
            rate: Messages/s, evenly spaced.
            seconds: Duration.
            grace_s: Time in which the last deliveries may arrive and still count.
            patience_s: Outstanding deliveries, in seconds of the rate, at which the attempt is given up. Default: half a
                second, because the p99 by which servers are compared is lost then.

        Raises:
            RuntimeError: Earlier deliveries are still outstanding: wait with `settle`.

        """
        if self.outstanding != self.arrived:
            raise RuntimeError("what is still on its way would be counted twice")
        self.outstanding = self.arrived = 0
        self._latencies_ns.clear()
        total, interval_ns = int(rate * seconds), 1e9 / rate
        hopeless = rate * members * patience_s
        turn = [(link.sock.fileno(), frame) for link, frame in speakers]
        count, sent, given_up = len(turn), 0, False
        clock = time.monotonic_ns
        gc.collect()
        gc.freeze()
        gc.disable()
        start_ns = clock()
        deadline_ns = start_ns + int((seconds + grace_s) * 1e9)
        try:
            while True:
                now_ns = clock()
                due = min(total, int((now_ns - start_ns) / interval_ns) + 1, sent + _BURST)
                while sent < due:
                    fd, frame = turn[sent % count]
                    self._send(fd, frame.at(start_ns + int(sent * interval_ns)))
                    sent += 1
                self.outstanding = sent * members
                if self._pending:
                    self._flush()
                ready = self._read(0.0)
                # Deliveries that the generator has not yet read do not count as outstanding.
                if ready < _EVENTS and self.outstanding - self.arrived > hopeless:
                    given_up = True
                    break
                if now_ns >= deadline_ns or (sent == total and self.arrived >= self.outstanding):
                    break
                if ready < _EVENTS:
                    # The process sleeps instead of waiting for the sockets, because each of its wake-ups would cost the server CPU.
                    due_ns = start_ns + int(sent * interval_ns) - clock() if sent < total else _PAUSE_NS
                    if due_ns > 0:
                        time.sleep(min(due_ns, _PAUSE_NS) / 1e9)
        finally:
            gc.enable()
            gc.unfreeze()
        return Burst(sent, self.outstanding, self.arrived, self._latencies_ns.copy(), given_up)

    def echo(self, seconds: float, *, resume: bool = False) -> int:
        """Keep one `echo` of each client in flight; returns how many were answered.

        Args:
            seconds: Duration; echoes in flight at its end stay so.
            resume: Continue with the echoes of an earlier call.

        """
        answered, echo = 0, self._dialect.echo
        if not resume:
            self._counted, self._uniform = self._dialect.ack, None
            for fd in self._links:
                self._send(fd, echo)
        deadline = time.monotonic() + seconds
        receive, buffer, view, carry = self._receive, self._buffer, self._view, self._carry
        send = {fd: link.sock.send for fd, link in self._links.items()}
        while time.monotonic() < deadline:
            uniform = self._uniform
            size, header = (uniform.size, uniform.header) if uniform else (0, b"\0")
            if self._pending:
                self._flush()
            for fd, _ in self._epoll.poll(0.1, _EVENTS):
                # As in `_read`: usually one whole answer.
                got = receive[fd](view)
                if got == size and fd not in carry and buffer.startswith(header, _FRONT):
                    answered += 1
                    if send[fd](echo) != len(echo):
                        raise FrameError("the server does not read a single event")
                    continue
                self.arrived = 0
                if got:
                    self._take(fd, got)
                else:
                    self._lose(fd)
                answered += self.arrived
                for _ in range(self.arrived):
                    self._send(fd, echo)
        return answered

    def _read(self, timeout_s: float) -> int:
        """Read from the connections with data; returns their number: hot."""
        ready = self._epoll.poll(timeout_s, _EVENTS)
        uniform = self._uniform
        size = uniform.size if uniform else 0
        header = uniform.header if uniform else b"\0"
        receive, buffer, view, carry, sampled = (
            self._receive,
            self._buffer,
            self._view,
            self._carry,
            self._sampled,
        )
        for fd, _ in ready:
            # Most of the time there is one event, and the header tells whether it is whole.
            try:
                got = receive[fd](view)
            except BlockingIOError:
                continue
            except OSError:
                got = 0
            if got == size and got and fd not in carry and buffer.startswith(header, _FRONT):
                self.arrived += 1
                if fd in sampled:
                    self._stamp(_FRONT, _FRONT + got)
            elif got:
                self._take(fd, got)
            else:
                self._lose(fd)
        return len(ready)

    def _take(self, fd: int, size: int) -> None:
        """Count what has been read, together with the rest of the last read."""
        start, end = _FRONT, _FRONT + size
        if carried := self._carry.pop(fd, None):
            start -= len(carried)
            self._buffer[start:_FRONT] = carried
        at, events = start, 0
        if self._uniform:
            events = self._uniform.count(self._buffer, start, end)
            at += events * self._uniform.size
        if at != end:
            walked, at = self._walk(fd, at, end)
            events += walked
        if at != end:
            if end - at > _FRONT:
                raise FrameError(f"a frame of more than {_FRONT} bytes")
            self._carry[fd] = bytes(self._buffer[at:end])
        self.arrived += events
        if events and fd in self._sampled:
            self._stamp(start, at)

    def _walk(self, fd: int, start: int, end: int) -> tuple[int, int]:
        """Scan frames one by one; returns the number of their events, and the end of the last frame."""
        events, at = 0, start
        frames = list(walk(self._buffer, start, end))
        for kind, body, stop in frames:
            at = stop
            if kind == TEXT:
                found = self._buffer.count(self._counted, body, stop)
                events += found
                # A frame of several lines may contain a ping besides events.
                if found != 1 and self._dialect.is_ping(bytes(self._buffer[body:stop])):
                    self.pings += 1
                    self._send(fd, self._dialect.pong)
            elif kind == PING:
                self._send(fd, masked(bytes(self._buffer[body:stop]), PONG))
            elif kind == CLOSE:
                self._lose(fd)
                return events, end
        if self._uniform is None and events:
            self._uniform = uniform_from(self._buffer, frames, self._counted)
        return events, at

    def _stamp(self, start: int, end: int) -> None:
        now_ns = time.monotonic_ns()
        self._latencies_ns += [
            now_ns - int(stamp) for stamp in self._dialect.stamp.findall(self._buffer, start, end)
        ]

    def _send(self, fd: int, data: bytes) -> None:
        link = self._links.get(fd)
        if link is None:
            return
        if fd in self._pending:
            self._pending[fd] += data
            return
        try:
            sent = link.sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._lose(fd)
            return
        if sent != len(data):
            self._pending[fd] = data[sent:]

    def _flush(self) -> None:
        """Retry what the server did not accept."""
        pending, self._pending = self._pending, {}
        for fd, data in pending.items():
            self._send(fd, data)

    def _lose(self, fd: int) -> None:
        self.lost += 1
        self._drop(fd)

    def _drop(self, fd: int) -> None:
        link = self._links.pop(fd, None)
        if link is None:
            return
        with contextlib.suppress(OSError, ValueError):
            self._epoll.unregister(fd)
        self._carry.pop(fd, None)
        self._pending.pop(fd, None)
        link.close()
