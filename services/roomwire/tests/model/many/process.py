"""A gateway's part in one log: it is held, resynchronised and closed alone."""

from typing import Any

from model.gateway import Gateway
from model.link import Link
from model.log import Limits
from model.many.line import Strand
from model.record import Message
from model.world import Size, World
from roomwire.log.positions import Offset


class Messages(list[Message]):
    """The messages of one log. They are found by their numbers, which are given once in the deployment."""

    def __init__(self, all_logs: list[Message]) -> None:
        super().__init__()
        self._all_logs = all_logs

    def __len__(self) -> int:
        """Return the next number."""
        return len(self._all_logs)

    def __getitem__(self, number: Any) -> Any:
        """Return the message of a number, of whichever log."""
        return self._all_logs[number]

    def append(self, message: Message) -> None:
        """Add a message of this log."""
        super().append(message)
        self._all_logs.append(message)


class LogWorld(World):
    """One of the logs of a deployment, with its primary, and the parts of all processes and clients that concern it."""

    def __init__(self, deployment: Any, number: int, limits: Limits, size: Size) -> None:
        self.deployment = deployment
        self.number = number
        self._started = 0
        super().__init__(deployment.random, limits, size, deployment.bugs, deployment.trace)
        self.messages = self.primary.messages = Messages(deployment.messages)
        self.clients = []

    def new_gateway(self) -> "Part":
        """Start the part of a process that serves this log. Processes start in all logs at once, so that their numbers agree."""
        self._started += 1
        return Part(self, f"gateway {self.identity()}", self._started)

    def identity(self) -> int:
        """Return a number that is given once in the deployment."""
        self.deployment.identities += 1
        return int(self.deployment.identities)


class Part(Gateway):
    """What a process is in one log. `doomed` are connections that are closed once this log is live again."""

    def __init__(self, world: LogWorld, name: str, process: int) -> None:
        self.deployment = world.deployment
        self.process = process
        self.source = world.deployment.source_of(world)
        self.doomed: list[Strand] = []
        self._is_live = False
        self.is_made = False
        super().__init__(world, name)

    @property
    def is_live(self) -> bool:
        """Whether this log is live for this process."""
        if "all_logs_held" in self.bugs and not all(part._is_live for part in self.siblings()):
            return False
        return self._is_live

    @is_live.setter
    def is_live(self, value: bool) -> None:
        self._is_live = value
        if value:
            doomed, self.doomed = self.doomed, []
            for strand in doomed:
                strand.close()

    def siblings(self) -> list["Part"]:
        """Return the parts of this process in all logs."""
        return [
            part
            for world in self.deployment.worlds
            for part in world.gateways
            if part.process == self.process
        ]

    @property
    def offset(self) -> Offset:
        """The offset of what is written now: of this log, whatever the others have."""
        if "cut_of_another_log" in self.bugs:
            return Offset(self.subscriber.epoch, self.siblings()[0].subscriber.cut)
        return super().offset

    def connect(self) -> None:
        """Open both connections to this log's primary."""
        self.log = Link(self.source, self, self._take)
        self.bulk = Link(self.source, self, self._take)
        self.ordered = self.log
        self.pair = self._pair(self.world.now)

    def wire(self, link: Link, began: int) -> Any:
        """Return a link as production's code sees it; the incarnation is that of this log's primary."""
        wire = super().wire(link, began)
        if "one_epoch_for_all" in self.bugs:
            wire._run = sum(world.primary.run for world in self.deployment.worlds)
        return wire

    def from_client(self, transport: Any, frame: tuple[Any, ...]) -> None:
        """Take a frame. A CONNECT to a held log waits; one to a namespace that has no member makes it first."""
        if frame[0] == "connect":
            is_unknown = "not_made_again" in self.bugs and frame[1] and not self.is_made
            is_refused = "held_log_refuses" in self.bugs and not self.is_live
            is_revoked = transport.line.is_revoked and "claims_do_not_ask" not in self.bugs
            if is_unknown or is_refused or is_revoked:
                transport.write(("disconnect",))
                return
            self.is_made = True
        super().from_client(transport, frame)

    def close(self, socket: Any) -> None:
        """Close a socket. The namespace goes with its last member; what the log has of it stays."""
        super().close(socket)
        if not self.sockets and self.is_made:
            self.is_made = False
            if "sessions_go_with_the_namespace" in self.bugs:
                self.source.primary.log.kept.forget_sessions_of(self.name)

    def close_all(self, stream: Any) -> None:
        """Close the connections of all in a stream, or of all that have a socket in this log."""
        super().close_all(stream)
        if stream is None and "loss_closes_all" in self.bugs:
            for part in self.siblings():
                for socket in list(part.sockets):
                    socket.transport.must_close = True
                    part.close(socket)

    def kick_at_once(self, half: Any) -> None:
        """Carry out a request that came on another log: it overtakes what this one still has to deliver."""
        for socket in list(self.sockets):
            if half.transport is socket.transport:
                socket.write("disconnect")
                self.close(socket)
                return
