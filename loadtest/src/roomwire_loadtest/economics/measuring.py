"""Measures what each thing costs: the bytes and the CPU of its sender, beside those of the service."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from roomwire_loadtest.capacity.measuring.memory import traffic
from roomwire_loadtest.economics.system import GATEWAY, World
from roomwire_loadtest.economics.things import (
    ENDS_SESSIONS,
    Row,
    Words,
    connect_packet,
    request_of,
    spoken_of,
)
from roomwire_loadtest.economics.wires import Http, Meter, Session
from roomwire_loadtest.load.transports import Closed, Packet

_QUIET_S: Final = 0.01
_QUIET_CPU_S: Final = 0.000_3
_QUIET_TIMES: Final = 3
_SETTLED_AFTER: Final = 100
_LEAST: Final = 3
_MILLI: Final = 1_000
CLOSED: Final = "closed"
"""The outcome of a message that ends its session."""


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """The cost of one message.

    Attributes:
        surface: See `things.Row`, as are `name`, `way`, `state`, `token` and `form`.
        sent: How many were sent.
        outcome: `answered`, `silent`, or `closed`: each of them ended its session, and opening another is part of the cost.
        up_bytes: Bytes that the sender sent.
        down_bytes: Bytes that it received.
        redis_bytes: Bytes to and from Redis.
        gateway_ms: Milliseconds of CPU of the gateway, with all its threads; `auth_ms` and `redis_ms` in the same way.
        sender_ms: Milliseconds of CPU of the sender.

    """

    surface: str
    name: str
    way: str
    state: str
    token: str
    form: str
    sent: int
    outcome: str
    up_bytes: float
    down_bytes: float
    redis_bytes: float
    gateway_ms: float
    auth_ms: float
    redis_ms: float
    sender_ms: float

    @property
    def amplification(self) -> float:
        """How many bytes move for each byte of the sender: to the sender, and to and from Redis."""
        return (self.down_bytes + self.redis_bytes) / max(self.up_bytes, 1.0)

    @property
    def messages(self) -> int:
        """How many messages its cost includes: before a packet that ends its session there were a handshake and perhaps a CONNECT."""
        if self.outcome != CLOSED:
            return 1
        return 3 if self.state == "after CONNECT" else 2

    @property
    def cpu_ms(self) -> float:
        """The CPU of the service for one message."""
        return self.gateway_ms + self.auth_ms + self.redis_ms


@dataclass
class _Used:
    """A reading of what has been used so far."""

    at: float
    cpu_s: Mapping[str, float]
    redis_bytes: int
    own_s: float


class Measuring:
    """Measures rows, one after the other.

    Args:
        world: The system.
        most: Maximum number of messages of a row.
        seconds: Time after which a row has been sent often enough.

    """

    def __init__(self, world: World, *, most: int, seconds: float) -> None:
        self._world = world
        self._most = most
        self._seconds = seconds
        self._rows = 0
        self._idle = dict.fromkeys(("gateway", "auth", "redis"), 0.0)
        self._idle_redis_bytes = 0.0

    def rest(self, seconds: float) -> None:
        """Measure what the system uses when nothing is sent; it is subtracted from every row."""
        before = self._read()
        time.sleep(seconds)
        after = self._read()
        for name, service in (("gateway", GATEWAY), ("auth", "auth"), ("redis", "redis")):
            self._idle[name] = (after.cpu_s[service] - before.cpu_s[service]) / seconds
        self._idle_redis_bytes = (after.redis_bytes - before.redis_bytes) / seconds

    def measure(self, row: Row) -> Cost:
        """Return the cost of a row."""
        self._rows += 1
        words = self._words(row)
        if row.is_of_session:
            return self._of_session(row, words)
        return self._of_requests(row, words)

    def _words(self, row: Row) -> Words:
        token = {
            "guest": self._world.guest_token,
            "account": self._world.account_token,
            "key": self._world.key,
        }
        run = f"e{self._rows}"
        refresh_tokens: Sequence[str] = ()
        if row.name in ENDS_SESSIONS and row.token != "none":  # noqa: S105 - no token, but that there is none
            refresh_tokens = [self._world.guest()[1] for _ in range(self._most + 1)]
        return Words(run, token.get(row.token, ""), refresh_tokens, self._world.account)

    def _of_requests(self, row: Row, words: Words) -> Cost:
        port = self._world.auth_port if row.surface == "auth" else self._world.api_port
        meter, request_in = Meter(), request_of(row)
        headers = {"Authorization": f"Bearer {words.token}"} if words.token else {}
        if row.name == "POST /auth/logout-everywhere" and words.token:
            headers = {"Authorization": f"Bearer {self._world.guest()[0]}"}
        lines = [Http(port, meter)]

        def ask(number: int) -> None:
            request = request_in(number, words)
            try:
                lines[0].ask(request.method, request.path, request.body, kind=request.kind, headers=headers)
            except Closed:
                lines[0] = Http(port, meter)

        try:
            return self._cost(row, meter, ask, outcome="answered")
        finally:
            lines[0].close()

    def _of_session(self, row: Row, words: Words) -> Cost:
        meter, spoken = Meter(), spoken_of(row)
        session = self._opened(row, words, meter)
        if row.name == "leaveRoom" and row.state == "after CONNECT":
            for number in range(self._most + 1):
                session.send(f'42{number}["joinRoom",{{"roomId":"{words.run}-{number}","userName":"u"}}]')
                session.until("43")
        is_answered = bool(spoken.answer) and (spoken.connects or row.state == "after CONNECT")
        outcome = "answered" if is_answered else self._outcome(session, spoken.packets(0, words))
        held = [session]

        def send(number: int) -> None:
            if outcome == CLOSED:
                held[0].close()
                held[0] = self._opened(row, words, meter)
            try:
                held[0].send(*spoken.packets(number, words))
                if is_answered:
                    held[0].until(*spoken.answer)
                elif outcome == CLOSED and row.way == "WebSocket":
                    held[0].rest()
            except Closed:
                if outcome != CLOSED:
                    held[0].close()
                    held[0] = self._opened(row, words, meter)

        try:
            return self._cost(row, meter, send, outcome=outcome, drain=lambda: held[0].is_open())  # noqa: PLW0108 - another session may be held by then
        finally:
            held[0].close()

    def _outcome(self, session: Session, packets: Sequence[Packet]) -> str:
        """Send packets that nothing answers; return `silent`, or `closed` if they end their session."""
        try:
            session.send(*packets)
            self._settle()
            return "silent" if session.is_open() else CLOSED
        except Closed:
            return CLOSED

    def _opened(self, row: Row, words: Words, meter: Meter) -> Session:
        session = Session(row.way, self._world.gateway_port, meter)
        if row.state == "after CONNECT":
            session.send(connect_packet(words.token))
            session.until("40")
            session.until('42["welcome"')
        return session

    def _cost(
        self,
        row: Row,
        meter: Meter,
        send: Callable[[int], None],
        *,
        outcome: str,
        drain: Callable[[], object] = lambda: None,
    ) -> Cost:
        # What is made at first use is no cost of a message.
        send(self._most)
        self._settle()
        up, down, before = meter.up, meter.down, self._read()
        sent = 0
        while sent < self._most and (sent < _LEAST or time.monotonic() - before.at < self._seconds):
            send(sent)
            sent += 1
        own_s = time.process_time() - before.own_s
        up, down_so_far = meter.up - up, meter.down
        self._settle()
        if row.way == "WebSocket":
            # What arrived without being waited for.
            drain()
        down = meter.down - down if row.way == "WebSocket" else down_so_far - down
        after = self._read()
        seconds = after.at - before.at

        def each_ms(name: str, service: str) -> float:
            spent = after.cpu_s[service] - before.cpu_s[service] - self._idle[name] * seconds
            return max(0.0, spent) * _MILLI / sent

        redis_bytes = after.redis_bytes - before.redis_bytes - self._idle_redis_bytes * seconds
        return Cost(
            surface=row.surface,
            name=row.name,
            way=row.way,
            state=row.state,
            token=row.token,
            form=row.form,
            sent=sent,
            outcome=outcome,
            up_bytes=up / sent,
            down_bytes=down / sent,
            redis_bytes=max(0.0, redis_bytes) / sent,
            gateway_ms=each_ms("gateway", GATEWAY),
            auth_ms=each_ms("auth", "auth"),
            redis_ms=each_ms("redis", "redis"),
            sender_ms=own_s * _MILLI / sent,
        )

    def _settle(self) -> None:
        """Wait until the services have nothing left to do, as far as their CPU shows."""
        quiet, last = 0, self._busy_s()
        for _ in range(_SETTLED_AFTER):
            time.sleep(_QUIET_S)
            now = self._busy_s()
            quiet = quiet + 1 if now - last < _QUIET_CPU_S else 0
            if quiet == _QUIET_TIMES:
                return
            last = now

    def _busy_s(self) -> float:
        return sum(self._world.house.cpu_s().values())

    def _read(self) -> _Used:
        cpu_s = self._world.house.cpu_s()
        received, sent = traffic(self._world.house.redis)
        return _Used(time.monotonic(), cpu_s, received + sent, time.process_time())
