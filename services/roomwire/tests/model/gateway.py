"""One gateway: its link to the log, the rooms that it serves, what it publishes.

The *cut* is the highest position that it has taken from the log connection; every frame that it writes to a socket
follows all frames of positions up to its offset. `known` is the highest position that it knows in any way.
"""

from collections import deque
from collections.abc import Iterable
from typing import Any

from model import history, requests
from model.link import BROKEN, Link
from model.log import EPOCH, Entry
from model.pipe import Answer, Lost, Process, Runner, Signal
from model.record import Message
from model.sockets import DEAD, LIVE, REPLAYING, Socket
from model.transport import Transport


class Publish:
    """A publish that has not been answered."""

    __slots__ = ("answer", "message", "number")

    def __init__(self, number: int, message: Message) -> None:
        self.number = number
        self.message = message
        self.answer = Answer()


class Gateway:
    """A process, from its start to its death. Started again, it is another one with another name."""

    def __init__(self, world: Any, name: str) -> None:
        self.world = world
        self.bugs: frozenset[str] = world.bugs
        self.name = name
        self.runner = Runner()
        self.paused_until = 0
        self.next_heartbeat = world.now + world.limits.heartbeat
        self.epoch = self.cut = self.known = 0
        self.is_held = True
        self.early: list[tuple[str, Entry]] = []
        self.seen: dict[str, int] = {}  # of rooms; only a bug looks
        self.number = 0
        self.unanswered: deque[Publish] = deque()
        self.served: dict[str, int] = {}
        self.members: dict[str, dict[Any, Socket]] = {}
        self.sockets: dict[Socket, None] = {}
        self.by_pid: dict[int, Socket] = {}
        self.live = Signal()
        self.fallen = Signal()
        self.connect()
        self.runner.start(self._keep_link())

    # The link and its gaps.

    def connect(self) -> None:
        """Open both connections to the primary."""
        self.log = Link(self.world, self, self._take)
        self.bulk = Link(self.world, self, self._take)
        self.ordered = self.bulk if "marker_on_bulk" in self.bugs else self.log

    def relink(self) -> None:
        """Give both connections up: from now on nothing is taken from them, and the log is held."""
        self.is_held = True
        for link in (self.log, self.bulk):
            link.give_up(
                self.world.random, but_listen="dead_link_heard" in self.bugs and len(link.replies.items) > 1
            )
        self.runner.wake(self.fallen)

    def taken(self, position: int) -> None:
        """Everything up to a position has been taken from the log connection."""
        self.cut = max(self.cut, position)
        self.known = max(self.known, position)

    def checked(self, reply: Any) -> Any:
        """Return a reply, unless it says that the epoch is over.

        Raises:
            Lost: It is; the link was given up.

        """
        if reply is EPOCH:
            self.relink()
            raise Lost
        return reply

    def _keep_link(self) -> Process:
        while True:
            try:
                yield from self._catch_up()
                yield self.fallen
            except Lost:
                pass
            self.relink()
            self.connect()

    def _catch_up(self) -> Process:
        """Attach, learn what was said meanwhile, deliver it in order, go on live."""
        world, bugs, log = self.world, self.bugs, self.log
        self.early.clear()
        is_whole, epoch = yield log.call("attach", self.epoch, self.known, log.primary.run)
        is_first = not self.epoch
        if not is_whole:
            for socket in list(self.sockets):
                self.close(socket)
            self.cut = self.known = 0
        self.epoch = epoch
        began = world.now
        log.tell("subscribe", self.name)
        for room in self.served:
            log.tell("subscribe", room)
        yield from self._learn_claims()
        position, marked = yield self.ordered.call("mark")
        if marked != epoch:
            raise Lost
        if bugs & {"log_not_held", "gap_by_previous_position"}:
            self.is_held = False
            self._hear_early()
        missed = yield from self._read_missed(position)
        if world.now - began > world.limits.claim_deadline:
            raise Lost
        for each in sorted(missed):
            self.deliver(*missed[each])
        self.taken(position)
        self.is_held = False
        self._hear_early()
        if not log.is_open:
            raise Lost
        self._resend()
        self.runner.wake(self.live)
        for socket in self.sockets:
            if socket.state == LIVE and not is_first:
                socket.is_receipt_due = True
                self.ping(socket)

    def _learn_claims(self) -> Process:
        """Drop the sockets whose clients went elsewhere while nothing was heard."""
        sockets = [socket for socket in self.sockets if socket.state in {REPLAYING, LIVE}]
        receipts = [(socket.pid, socket.claim, 0, 0) for socket in sockets]
        reply = yield self.log.call("heartbeat", self.epoch, self.name, receipts)
        _, fenced = self.checked(reply)
        for socket in sockets:
            if socket.pid in fenced:
                self.close(socket)

    def _read_missed(self, end: int) -> Process:
        """Read every room that has members here; those of a room that is not complete will be told."""
        missed: dict[int, tuple[str, Entry]] = {}
        if "gap_by_previous_position" in self.bugs:
            return missed
        base = self.cut
        for room in sorted(room for room, members in self.members.items() if members):
            entries = yield from history.read(self, room, base, end)
            if entries is None:
                for socket in list(self.members.get(room, {}).values()):
                    self.close(socket)
            else:
                missed.update((entry.position, (room, entry)) for entry in entries)
        return missed

    def _take(self, link: Link, item: tuple[Any, Any]) -> None:
        """Take what Redis sent unasked, or the news that a link is broken."""
        kind, value = item
        if kind is BROKEN:
            if link is self.log or link is self.bulk:
                self.relink()
            link.give_up(self.world.random, but_listen=False)
        elif link is not self.log:
            return
        elif value[0] == "fence":
            socket = self.by_pid.get(value[1])
            if socket is not None and socket.claim < value[2]:
                self.fence(socket)
        elif self.is_held:
            self.early.append(value)
        else:
            self._hear(*value)

    def _hear_early(self) -> None:
        early, self.early = self.early, []
        for room, entry in early:
            if self.is_held:
                return
            self._hear(room, entry)

    def _hear(self, room: str, entry: Entry) -> None:
        """Take a push."""
        if entry.epoch != self.epoch and not self.bugs & {"epoch_by_counter", "any_epoch_writes"}:
            self.relink()
        elif "gap_by_previous_position" in self.bugs:
            history.hear_with_gaps(self, room, entry)
        elif entry.position > self.cut:
            self.deliver(room, entry)

    # Rooms.

    def deliver(self, room: str, entry: Entry) -> None:
        """Give an entry of the log to this gateway's members."""
        bugs = self.bugs
        self.taken(self._newest_under_way(entry.position) if "offset_of_the_tick" in bugs else entry.position)
        message: Message = self.world.messages[entry.message]
        if "local_first" in bugs and message.publisher is self and len(entry.rooms) == 1:
            return
        frame = ("event", entry.message, (self.epoch, self.cut), entry.stamp)
        for socket in self.audience(room, entry.rooms):
            if socket.pid != entry.excluded:
                self._hand_over(socket, frame)

    def audience(self, room: str, rooms: tuple[str, ...]) -> Iterable[Socket]:
        """Return the members of a room; or of several, each once."""
        if len(rooms) == 1:
            return list(self.members.get(room, {}).values())
        return list({socket: None for room in rooms for socket in self.members.get(room, {}).values()})

    def _hand_over(self, socket: Socket, frame: tuple[Any, ...]) -> None:
        if socket.state == REPLAYING and "live_during_replay" not in self.bugs:
            socket.queued.append(frame)
        elif "room_events_wait_for_the_tick" in self.bugs and socket.state == LIVE:
            socket.tick.append(frame)
        else:
            socket.write(*frame)

    def _newest_under_way(self, position: int) -> int:
        """Return the newest position among the pushes that have arrived but are not yet delivered."""
        pushes = [value for kind, value in self.log.replies.items if kind is None and value[0] != "fence"]
        newest: int = max((entry.position for _, entry in pushes), default=position)
        return max(position, newest)

    def serve(self, room: str) -> None:
        """Count one more who needs a room's pushes."""
        count = self.served.get(room, 0)
        self.served[room] = count + 1
        if not count:
            self.log.tell("subscribe", room)

    def unserve(self, room: str) -> None:
        """Count one less."""
        self.served[room] -= 1
        if not self.served[room]:
            del self.served[room]
            self.seen.pop(room, None)
            self.log.tell("unsubscribe", room)

    def enter(self, socket: Socket, room: str, stamp: int) -> None:
        """Make a socket a member of a room that is served for it."""
        socket.rooms[room] = stamp
        key = socket.pid if "old_socket_lingers" in self.bugs else socket
        self.members.setdefault(room, {})[key] = socket

    def leave(self, socket: Socket, room: str) -> None:
        """End a membership."""
        if socket.rooms.pop(room, None) is not None:
            key = socket.pid if "old_socket_lingers" in self.bugs else socket
            self.members.get(room, {}).pop(key, None)
            if room[0] != "@":
                self.unserve(room)

    def leave_all(self, socket: Socket) -> None:
        """End all memberships."""
        for room in list(socket.rooms):
            self.leave(socket, room)

    # Sockets.

    def close(self, socket: Socket) -> None:
        """Close a socket's transport; its session is not touched, so that the client can come back to it."""
        if socket.state == DEAD:
            return
        socket.state = DEAD
        socket.transport.close()
        self.sockets.pop(socket, None)
        if self.by_pid.get(socket.pid) is socket:
            del self.by_pid[socket.pid]
        self.leave_all(socket)
        self.runner.wake(socket.arrived)

    def from_client(self, transport: Transport, frame: tuple[Any, ...]) -> None:
        """Take a frame from a client."""
        requests.take(self, transport, frame)

    def fence(self, socket: Socket) -> None:
        """Its client is somewhere else."""
        if "fenced_is_disconnected" in self.bugs:
            socket.write("disconnect")
        self.close(socket)

    def ping(self, socket: Socket) -> None:
        """Ask for a receipt for everything written so far."""
        if not socket.tick:
            socket.write("ping", self.cut, self.epoch)

    # Publishing.

    def publish(self, message: Message) -> Answer:
        """Append to the log; the answer comes when Redis has it."""
        self.number += 1
        message.turn = (self.name, self.number) if message.publisher is None else None
        message.publisher = self
        publish = Publish(self.number, message)
        self.unanswered.append(publish)
        if not self.is_held:
            self._send(publish)
        if "local_first" in self.bugs and len(message.rooms) == 1:
            for socket in self.audience(message.rooms[0], message.rooms):
                if socket.pid != message.excluded:
                    socket.write("event", message.number, (self.epoch, self.cut), self.world.stamp)
        return publish.answer

    def _resend(self) -> None:
        """Send again what was not answered, in order."""
        publishes = list(self.unanswered)
        if "resent_newest_first" in self.bugs:
            publishes.reverse()
        for publish in publishes:
            self._send(publish)

    def _send(self, publish: Publish) -> None:
        def take(reply: Any) -> None:
            if reply is EPOCH:
                self.relink()
            elif publish in self.unanswered:
                self.unanswered.remove(publish)
                self._answered(publish, reply)

        message = publish.message
        arguments = (message.number, message.retried, message.rooms, message.excluded)
        self.bulk.call("publish", self.name, publish.number, self.epoch, *arguments, then=take)

    def _answered(self, publish: Publish, reply: tuple[str, int]) -> None:
        _, position = reply
        self.known = max(self.known, position)
        if "cut_from_publishes" in self.bugs:
            self.cut = max(self.cut, position)
        publish.message.witness = self
        publish.message.is_acknowledged = True
        publish.answer.value = True
        if publish.answer.process is not None:
            self.runner.resume(publish.answer.process, True)
