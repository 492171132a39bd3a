"""The load: thousands of clients in one thread, which reads whole chunks and never touches a frame it need not.

It owns the connections once they are open. Every frame is accounted for (see `scanner`), also one that is
split over reads; latencies are taken from the time stamps that a sample of the members receives. Rates are
offered on schedule whatever the server does, and latency counts from the moment a message was due, so that a
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
"""Room in front of the buffer, where the beginning of a frame from an earlier read is put back."""
_READ_BYTES: Final = 262_144
_EVENTS: Final = 128
"""Connections read before it is looked whether a message is due."""
_BURST: Final = 32
"""Messages sent before it is looked whether something has arrived."""
_HOPELESS_S: Final = 0.5
_TICK_S: Final = 0.01
_PAUSE_NS: Final = 200_000
"""Between rounds of reading that found few: what arrives meanwhile is read at once, and wakes nobody up."""

Speaker = tuple[Link, StampedFrame]


@dataclass(frozen=True)
class Burst:
    """What came of a rate."""

    sent: int
    expected: int
    arrived: int
    latencies_ns: list[int]
    given_up: bool

    @property
    def share(self) -> float:
        """What arrived of what should have."""
        return self.arrived / self.expected if self.expected else 0.0

    def latency_ms(self, share: float) -> float | None:
        """Return a percentile of the latency, what did not arrive included; None: it did not arrive."""
        arrived = min(1.0, self.share)
        if share >= arrived:
            return None
        value = percentile(self.latencies_ns, share / arrived)
        return None if value is None else value / 1e6


class Crowd:
    """Connected clients.

    Args:
        links: Their open WebSockets.
        dialect: What they speak.
        sampled: Of how many members one is asked for its latencies; 0: none.

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
        """Take in more clients, who tell no latencies."""
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
        """Those who are still there."""
        return list(self._links.values())

    def close(self) -> None:
        """Close all connections at once; idempotent."""
        self._epoll.close()
        self.part(len(self._links))

    def part(self, count: int) -> None:
        """Close the connections that were opened last."""
        for fd in list(self._links)[len(self._links) - count :]:
            self._drop(fd)

    def idle(self, seconds: float) -> None:
        """Answer pings, and nothing else."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._read(left)

    def settle(self, seconds: float) -> bool:
        """Wait until all that was said has arrived; returns whether it has, and nobody was lost."""
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
        """Say things at a rate, in turn, each of which `members` clients should hear.

        Args:
            speakers: Who says what.
            members: How many hear each.
            rate: Messages/s, evenly spaced.
            seconds: For how long.
            grace_s: How long the last ones may take to arrive and still count.
            patience_s: Deliveries outstanding, in seconds of the rate, at which the attempt is given up. Default: half a
                second, as the p99 that servers are compared by is lost then.

        Raises:
            RuntimeError: Not all has arrived of what was said before: wait with `settle`.

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
                # What is outstanding because the generator has not come round to reading it tells nothing.
                if ready < _EVENTS and self.outstanding - self.arrived > hopeless:
                    given_up = True
                    break
                if now_ns >= deadline_ns or (sent == total and self.arrived >= self.outstanding):
                    break
                if ready < _EVENTS:
                    # Asleep, not waiting for the sockets: a server would pay for each waking of this process.
                    due_ns = start_ns + int(sent * interval_ns) - clock() if sent < total else _PAUSE_NS
                    if due_ns > 0:
                        time.sleep(min(due_ns, _PAUSE_NS) / 1e9)
        finally:
            gc.enable()
            gc.unfreeze()
        return Burst(sent, self.outstanding, self.arrived, self._latencies_ns.copy(), given_up)

    def echo(self, seconds: float, *, resume: bool = False) -> int:
        """Keep one `echo` of each client under way; returns how many were answered.

        Args:
            seconds: For how long; those under way at its end stay so.
            resume: Go on with those of an earlier call.

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
                # As in `_read`: one answer, whole.
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
        """Read from whoever has something; returns from how many: hot."""
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
            # One event, which is what there is most of the time: the header tells that it is whole.
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
        """Account for what has been read, behind what was left over the last time."""
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
        """Take frames one by one; returns how many events they hold, and where they end."""
        events, at = 0, start
        frames = list(walk(self._buffer, start, end))
        for kind, body, stop in frames:
            at = stop
            if kind == TEXT:
                found = self._buffer.count(self._counted, body, stop)
                events += found
                # A frame of several lines may hold a ping beside events.
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
        """Try again what the server did not take."""
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
