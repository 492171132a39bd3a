"""The official JavaScript client, as far as recovery goes.

It keeps events that come before the CONNECT reply, even over a disconnect. It takes the last string of an event for the
offset once it has a pid. It calls itself recovered if the pid stays the same. A closed transport means that it comes again, a
DISCONNECT that it does not. What was not acknowledged it sends again with the id that it had.
"""

from typing import Any

from model.record import FOREVER, Era, Stay
from model.transport import END, Transport


class Client:
    """A client and what it remembers. `eras` is its part of the record."""

    def __init__(self, world: Any, name: str, *, rejoins: bool) -> None:
        self.world = world
        self.name = name
        self.rejoins = rejoins
        self.pid = 0
        self.offset: str | None = None
        self.transport: Transport | None = None
        self.is_connected = False
        self.is_banished = False
        self.kept: list[tuple[Any, ...]] = []
        self.eras: list[Era] = []
        self.excuses = 0
        self.wanted: dict[str, None] = {}
        self.unacknowledged: dict[int, int] = {}  # message → the request that carries it
        self.pending: dict[int, tuple[str, Any]] = {}

    @property
    def era(self) -> Era:
        """The present era."""
        return self.eras[-1]

    def connect(self, gateway: Any) -> None:
        """Connect to a gateway, with pid and offset if there are any."""
        self.transport = Transport(self.world, self, gateway)
        self.world.transports.append(self.transport)
        self.is_connected = False
        self.transport.up.put(("connect", self.pid, self.offset))

    def drop(self) -> None:
        """Lose the network."""
        if self.transport is not None:
            self.transport.drop(self.world.random)
            self._gone()

    def duplicate(self, name: str) -> "Client":
        """Return another tab, which was given what this one keeps to come back with."""
        twin = Client(self.world, name, rejoins=self.rejoins)
        twin.pid, twin.offset, twin.excuses = self.pid, self.offset, self.excuses
        twin.eras = [Era(self.era.sid, self.era.start)]
        twin.era.is_shared = self.era.is_shared = True
        return twin

    def goodbye(self) -> None:
        """Disconnect for good, on purpose; the next connection is a new one."""
        if self.transport is not None and self.is_connected:
            self.world.excuses.count += 1
            self._request("goodbye", None)
            self.transport.up.put(END)
            self.transport.is_open_below = False
            self._gone()

    def join(self, room: str) -> None:
        """Ask to be in a room."""
        self.wanted[room] = None
        stays = self.era.stays.setdefault(room, [])
        if not stays or stays[-1].leaving != FOREVER:
            stays.append(Stay(self.world.stamp))
        self._request("join", room, stays[-1])

    def leave(self, room: str) -> None:
        """Ask to be out of a room."""
        self.wanted.pop(room, None)
        stays = self.era.stays.get(room)
        stay = stays[-1] if stays else None
        if stay is not None:
            stay.leaving = min(stay.leaving, self.world.stamp)
        self._request("leave", room, stay)

    def publish(self, number: int) -> None:
        """Emit a message, which has its number as its id."""
        self.unacknowledged[number] = self._request("publish", number, number)

    def _request(self, kind: str, subject: Any, about: Any = None) -> int:
        number: int = self.world.identity()
        assert self.transport is not None
        self.transport.up.put((kind, number, subject))
        self.pending[number] = (kind, about)
        return number

    def _gone(self) -> None:
        self.transport = None
        self.is_connected = False
        self.pending.clear()

    def receive(self, transport: Transport, frame: tuple[Any, ...]) -> None:
        """Take a frame from the gateway."""
        kind = frame[0]
        if kind == "ping":
            transport.up.put(("pong", frame[1]))
        elif kind == "event":
            if self.is_connected:
                self._event(transport, frame)
            else:
                self.kept.append((transport, frame))
        elif kind == "ack":
            self._acknowledged(frame[1], frame[2])
        elif kind == "connect":
            self._connected(frame[1], frame[2], frame[3])
        else:
            self.is_banished = kind == "disconnect"
            transport.is_open_below = False
            self._gone()

    def _event(self, transport: Transport, frame: tuple[Any, ...]) -> None:
        _, number, offset, stamp = frame
        self.era.got.append((number, stamp, transport))
        if self.pid and offset is not None:
            self.offset = offset

    def _connected(self, pid: int, start: int, excuses: int) -> None:
        is_recovered = pid == self.pid
        world = self.world
        if not is_recovered:
            if self.eras:
                self.era.end = world.stamp
                world.refused += 1
                world.unexcused += world.excuses.count == self.excuses and not world.deposed
            self.eras.append(Era(pid, start))
            self.excuses = excuses
        else:
            world.recovered += 1
        if world.trace is not None:
            world.tell(f"{self.name} is {'recovered' if is_recovered else 'new'}: pid {pid}")
        self.pid = pid
        self.is_connected = True
        kept, self.kept = self.kept, []
        for transport, frame in kept:
            self._event(transport, frame)
        if self.rejoins or not is_recovered:
            for room in self.wanted:
                self.join(room)
        for number in self.unacknowledged:
            self.publish(number)

    def _acknowledged(self, number: int, stamp: int) -> None:
        kind, about = self.pending.pop(number, ("", None))
        if kind == "publish":
            # Also of what is certain not to be in the log: it is not said again.
            self.unacknowledged.pop(about, None)
        elif kind == "join" and not about.joined:
            about.joined = stamp
        elif kind == "leave" and about is not None:
            about.left = min(about.left, self.world.stamp)
