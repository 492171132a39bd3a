"""What a client knows of its sessions: one for each namespace, with its secret and the last offset. Pure.

The rules are those of the official JavaScript client, `socket.ts` of socket.io-client 4.8. Two differ, and what an application sees is
the same: a session that was ended on purpose is forgotten at once, where the official client lets the server refuse it, and a new
session begins without an offset, where the official client keeps the old one until an event brings another.
"""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from socketio import packet

ANSWER_S: Final = 20.0
"""How long a client that connects again waits for the server's answer, which may take a recovery."""
_EVENTS: Final = frozenset({packet.EVENT, packet.BINARY_EVENT})


class Arrival:
    """An event that arrived with an offset.

    The offset counts from here on, as the application has the event now: a handler may still run when the connection is lost. If
    the handler raises an exception, the offset does not count, unless a later event has brought another.

    Args:
        offset: Its offset.
        previous: The arrival whose offset counted before.

    Attributes:
        offset: Its offset.
        previous: The arrival whose offset counts if the handler fails; None once it has not.
        has_failed: Whether the handler raised an exception.

    """

    __slots__ = ("has_failed", "offset", "previous")

    def __init__(self, offset: str, previous: "Arrival | None") -> None:
        self.offset = offset
        self.previous = previous
        self.has_failed = False

    @contextlib.contextmanager
    def handled(self) -> Iterator[None]:
        """Handle the event: note whether its handler raises an exception."""
        try:
            yield
        except BaseException:
            self.has_failed = True
            raise
        self.previous = None

    def counted(self) -> "Arrival | None":
        """Return this arrival or, if its handler failed, the last one before whose handler did not fail."""
        found: Arrival | None = self
        while found is not None and found.has_failed:
            found = found.previous
        return found


class Session:
    """The session of a client in one namespace.

    Attributes:
        has_recovered: Whether the last connection continued the session.

    """

    def __init__(self) -> None:
        self.has_recovered = False
        self._pid: str | None = None
        self._last: Arrival | None = None

    def payload(self, auth: object) -> object:
        """Return the payload of a CONNECT, whose answer decides; the application's values take precedence.

        Args:
            auth: The application's payload. Only a mapping can take up what the server needs for a recovery.

        """
        self.has_recovered = False
        if self._pid is None or not isinstance(auth, Mapping):
            return auth
        last = self._counted()
        return {"pid": self._pid, **({} if last is None else {"offset": last.offset}), **auth}

    def begin(self, data: object) -> None:
        """Note the server's answer to a CONNECT."""
        pid = data.get("pid") if isinstance(data, Mapping) else None
        self.has_recovered = pid is not None and pid == self._pid
        if not self.has_recovered:
            self._pid, self._last = pid, None

    def end(self) -> None:
        """Forget the session: one side has ended it on purpose."""
        self._pid = self._last = None

    def arrived(self, data: list[Any]) -> Arrival | None:
        """Remove the offset from an event that wants no ack.

        Args:
            data: The event's name and arguments.

        """
        if self._pid is None or not data[1:] or not isinstance(data[-1], str):
            return None
        self._last = Arrival(data.pop(), self._counted())
        return self._last

    def _counted(self) -> Arrival | None:
        return None if self._last is None else self._last.counted()


class Sessions:
    """The sessions of a client."""

    def __init__(self) -> None:
        self._of: dict[str, Session] = {}

    def of(self, namespace: str | None) -> Session:
        """Return the session in a namespace."""
        return self._of.setdefault(namespace or "/", Session())

    def take(self, pkt: packet.Packet) -> Arrival | None:
        """Note what a packet says of its session. Call it for each packet, in the order of their arrival.

        An event that arrived with an offset is returned as an arrival, and has its offset no more.
        """
        session = self.of(pkt.namespace)
        if pkt.packet_type == packet.CONNECT:
            session.begin(pkt.data)
        elif pkt.packet_type == packet.DISCONNECT:
            session.end()
        elif pkt.packet_type in _EVENTS and pkt.id is None:
            return session.arrived(pkt.data)
        return None
