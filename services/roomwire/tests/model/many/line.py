"""A client's connection with a socket in each of several logs: what closes one of them closes all."""

from typing import Any

from model.client import Client
from model.transport import CLOSE, END, Transport


class Strand(Transport):
    """The part of a connection that belongs to one log.

    Its frames keep their order. Between the logs of a connection no order is promised, so strands move independently.
    `must_close` says that the connection itself ends, and not for the sake of this log.
    """

    __slots__ = ("line", "must_close")

    def __init__(self, world: Any, client: "Half", gateway: Any, line: "Line") -> None:
        super().__init__(world, client, gateway)
        self.line = line
        self.must_close = False
        line.strands.append(self)

    def close(self) -> None:
        """Close the connection, behind what was written; for a log's sake only once that log is live again."""
        if not self.is_open_above:
            return
        gateway = self.gateway
        if not gateway.is_live and not self.must_close:
            if "closed_while_held" not in gateway.bugs:
                gateway.doomed.append(self)
                return
            self.line.closed_while_held += 1
        super().close()
        if not self.is_parted:
            self.line.close_above()

    def write(self, frame: tuple[Any, ...]) -> None:
        """Send a frame. Whether the user was sent away meanwhile is looked at once more when the log has the session."""
        if frame[0] == "connect":
            self.client.session = frame[1]
        if frame[0] == "connect" and self.line.is_revoked and "claims_do_not_ask" not in self.gateway.bugs:
            super().write(("disconnect",))
        else:
            super().write(frame)

    @property
    def is_parted(self) -> bool:
        """Whether this namespace alone ended, and the connection goes on."""
        return self.client.is_parted or self.client.is_banished

    def _to_gateway(self, frame: tuple[Any, ...]) -> None:
        if frame is END:
            self.must_close = True
        super()._to_gateway(frame)


class Half(Client):
    """A client's socket in one log, with its own pid and offset.

    `kicks` are the messages whose arrival ends it for good: a DISCONNECT that travels on the log.
    """

    def __init__(self, world: Any, line: "Line", *, rejoins: bool) -> None:
        super().__init__(world, f"{line.name} in log {world.number}", rejoins=rejoins)
        self.line = line
        self.is_parted = False
        self.kicks: set[int] = set()
        self.session = 0
        self.is_kicked = False
        self.is_refused = False

    def connect(self, gateway: Any) -> None:
        """Connect to the namespace over the line."""
        self.is_connected = self.is_parted = False
        self.transport = Strand(self.world, self, gateway, self.line)
        self.world.transports.append(self.transport)
        self.transport.up.put(("connect", self.pid, self.offset))

    def drop(self) -> None:
        """Lose the network, with all other sockets of the line."""
        for half in self.line.halves:
            Client.drop(half)

    def goodbye(self) -> None:
        """Leave the namespace on purpose. The line stays."""
        if self.transport is not None and self.is_connected:
            self.world.excuses.count += 1
            self.is_parted = True
            self._request("goodbye", None)
            self._gone()

    def _event(self, transport: Transport, frame: tuple[Any, ...]) -> None:
        super()._event(transport, frame)
        self.is_kicked |= frame[1] in self.kicks

    def receive(self, transport: Transport, frame: tuple[Any, ...]) -> None:
        """Take a frame from the gateway; leave for good when told to. What still comes to a namespace that was left is dropped."""
        if transport is not self.transport:
            transport.is_open_below &= frame is not CLOSE
            return
        self.is_refused = frame[0] == "disconnect" and not self.is_connected
        super().receive(transport, frame)
        if self.is_kicked and self.is_connected:
            self.goodbye()
            self.is_banished = True


class Line:
    """A client with a socket in each of some logs, over one connection. `starts` counts its connections."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.halves: list[Half] = []
        self.strands: list[Strand] = []
        self.process = -1
        self.starts = 0
        self.closed_while_held = 0
        self.is_revoked = False
        self.is_kick_complete = False

    @property
    def logs(self) -> set[int]:
        """The logs in which it has a socket."""
        return {half.world.number for half in self.halves}

    @property
    def is_away(self) -> bool:
        """Whether it has no connection, so that it may make one."""
        return all(
            half.transport is None and not half.is_parted for half in self.halves if not half.is_banished
        )

    def connect(self, process: int) -> None:
        """Make a connection to a process, with a socket in each log that did not send this client away."""
        self.process = process
        self.strands = []
        self.starts += 1
        for half in self.halves:
            if not half.is_banished:
                half.connect(half.world.gateways[process])

    def come_back(self, half: Half) -> None:
        """Connect again to a namespace that was left, if the connection is still the one over which it was left."""
        others = [strand for strand in self.strands if strand.client is not half and not strand.is_parted]
        other = next((strand for strand in others if strand.is_open_below and strand.is_open_above), None)
        if other is None:
            half.is_parted = False
            return
        gateway = half.world.gateways[self.process]
        if gateway.process == other.gateway.process:
            half.connect(gateway)

    def close_above(self) -> None:
        """The process closes the connection: all its sockets end."""
        for strand in self.strands:
            if strand.is_open_above:
                strand.must_close = True
                if strand.socket is not None:
                    strand.gateway.close(strand.socket)
                    strand.gateway.runner.settle()
                strand.close()
