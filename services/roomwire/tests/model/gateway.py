"""One gateway: its link to the log, the rooms that it serves, what it publishes.

What it has taken from the log is production's `Subscriber`, what it publishes production's `Outbox`, the way back to a live
log production's `Resync`. Every frame that it writes to a socket follows all frames of positions up to its offset.
"""

from collections.abc import Iterable
from typing import Any

from model import history, requests
from model.broken_subscriber import subscriber
from model.link import BROKEN, Link
from model.log import EPOCH
from model.observer import Observer
from model.pipe import Answer, Lost, Process, Runner, Signal
from model.publisher import Publisher
from model.reads import reads, resync
from model.record import Message
from model.said import number_and_stamp, sid_of, stream_of
from model.sockets import DEAD, LIVE, REPLAYING, Socket
from model.transport import Transport
from model.volatile import VolatilePublisher
from model.wire import Pair, Wire
from roomwire.log import entries
from roomwire.log.entries import Entry, Push
from roomwire.log.positions import Offset, Position
from roomwire.log.sessions import NodeId, Sid, Tenure
from roomwire.log.streams import Stream, is_sid_stream
from roomwire.log.subscriber import Interrupted


class Gateway:
    """A process, from its start to its death. Started again, it is another one with another name."""

    def __init__(self, world: Any, name: str) -> None:
        self.world = world
        self.bugs: frozenset[str] = world.bugs
        self.name = NodeId(name)
        self.runner = Runner()
        self.paused_until = 0
        self.next_heartbeat = world.now + world.limits.heartbeat
        self.is_live = False
        self.subscriber = subscriber(Observer(self), self.bugs, world.limits)
        self.publisher = Publisher(self)
        self.volatile = VolatilePublisher(self)
        self.reads = reads(self.bugs)
        self._resync = resync(self.bugs, self.name, world.config, self.subscriber)
        self.seen: dict[Stream, Position] = {}  # only a bug looks
        self.members: dict[Stream, dict[Sid, Socket]] = {}
        self.sockets: dict[Socket, None] = {}
        self.by_sid: dict[Sid, Socket] = {}
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
        self.pair = self._pair(self.world.now)

    def relink(self) -> None:
        """Give both connections up: from now on nothing is taken from them, and the log is held."""
        self.is_live = False
        for link in (self.log, self.bulk):
            link.give_up(
                self.world.random, but_listen="dead_link_heard" in self.bugs and len(link.replies.items) > 1
            )
        self.publisher.link_lost()
        self.subscriber.pause()
        self.runner.wake(self.fallen)

    def checked(self, reply: Any) -> Any:
        """Return a reply, unless it says that the epoch is over.

        Raises:
            Lost: It is; the link was given up.

        """
        if reply is EPOCH:
            self.relink()
            raise Lost
        return reply

    def wire(self, link: Link, began: int) -> Wire:
        """Return a link as production's code sees it, for something that began then and must not take too long."""

        def checked(reply: Any) -> Any:
            if self.world.now - began > self.world.limits.claim_deadline and "no_deadline" not in self.bugs:
                raise Lost
            return self.checked(reply)

        return Wire(link, self.name, link.primary.run, checked)

    def _pair(self, began: int) -> Pair:
        log = self.log
        return Pair(self.wire(log, began), self.wire(self.bulk, began), lambda: not log.is_open)

    def _keep_link(self) -> Process:
        while True:
            try:
                yield from self._catch_up()
                yield self.fallen
            except (Lost, Interrupted):
                pass
            self.relink()
            self.connect()

    def _catch_up(self) -> Process:
        """Learn what was said meanwhile, deliver it in order, go on live: production's way, in production's order."""
        log = self.log
        yield from self._resync.run(self.pair).__await__()
        if not log.is_open:
            raise Lost
        self.is_live = True
        self.publisher.use(self.bulk)
        self.volatile.resumed()
        self.runner.wake(self.live)

    def _take(self, link: Link, item: tuple[Any, Any]) -> None:
        """Take what Redis sent unasked, or the news that a link is broken."""
        kind, value = item
        if kind is BROKEN:
            if link is self.log or link is self.bulk:
                self.relink()
            link.give_up(self.world.random, but_listen=False)
        elif link is not self.log:
            return
        elif not isinstance(value, Push):
            self.subscriber.fence(*value)
        elif "gap_by_previous_position" in self.bugs and self.is_live:
            history.hear_with_gaps(self, value)
        else:
            self.hear(value)

    def hear(self, push: Push) -> None:
        """Take a push."""
        try:
            self.subscriber.receive(push)
        except Interrupted:
            self.relink()

    # Rooms.

    @property
    def offset(self) -> Offset:
        """The offset of what is written now."""
        return self.subscriber.offset

    def deliver(self, entry: Entry) -> None:
        """Give an entry of the log to this gateway's members."""
        bugs, message = self.bugs, entry.message
        number, stamp = number_and_stamp(message)
        if "local_first" in bugs and self.world.messages[number].publisher is self and not message.rooms:
            return
        offset = self.offset
        if "offset_of_the_tick" in bugs:
            offset = Offset(offset.epoch, self._newest_under_way(entry.position))
        frame = ("event", number, str(offset), stamp)
        for socket in self._receivers(entry.stream, message):
            self._hand_over(socket, frame)

    def deliver_volatile(self, stream: Stream, message: entries.Message) -> None:
        """Give a message that is not in the log to the members that are not being recovered, with the offset of what they have."""
        number, stamp = number_and_stamp(message)
        for socket in self._receivers(stream, message):
            if socket.state == LIVE or "volatile_to_the_recovering" in self.bugs:
                socket.write("event", number, str(self.offset), stamp)

    def _receivers(self, stream: Stream, message: entries.Message) -> Iterable[Socket]:
        """Return the members that a message is for, by the rooms in which they are at its place."""
        left_out = {
            *message.skip_sids,
            *(sid for room in message.except_rooms for sid in self.members.get(room, ())),
        }
        return [socket for socket in self.audience(stream, message.rooms) if socket.sid not in left_out]

    def audience(self, stream: Stream, rooms: tuple[Stream, ...]) -> Iterable[Socket]:
        """Return the members of a stream; or of several rooms, each once."""
        if not rooms:
            return list(self.members.get(stream, {}).values())
        return list({socket: None for room in rooms for socket in self.members.get(room, {}).values()})

    def _hand_over(self, socket: Socket, frame: tuple[Any, ...]) -> None:
        if socket.state == REPLAYING and "live_during_replay" not in self.bugs:
            socket.queued.append(frame)
        elif "room_events_wait_for_the_tick" in self.bugs and socket.state == LIVE:
            socket.tick.append(frame)
        else:
            socket.write(*frame)

    def _newest_under_way(self, position: Position) -> Position:
        """Return the newest position among the pushes that have arrived but are not yet delivered."""
        pushes = [value for kind, value in self.log.replies.items if kind is None and isinstance(value, Push)]
        return max((push.position for push in pushes), default=position)

    def serve(self, stream: Stream) -> None:
        """Count one more who needs a room's pushes."""
        if self.subscriber.subscribe(stream) and self.pair.is_subscribed:
            self.log.tell("subscribe", stream)

    def unserve(self, stream: Stream) -> None:
        """Count one less."""
        if self.subscriber.unsubscribe(stream):
            self.seen.pop(stream, None)
            if self.pair.is_subscribed:
                self.log.tell("unsubscribe", stream)

    def enter(self, socket: Socket, stream: Stream, stamp: int) -> None:
        """Make a socket a member of a room that is served for it."""
        socket.rooms[stream] = stamp
        self.members.setdefault(stream, {})[socket.sid] = socket

    def leave(self, socket: Socket, stream: Stream) -> None:
        """End a membership."""
        if socket.rooms.pop(stream, None) is not None:
            self.members.get(stream, {}).pop(socket.sid, None)
            if not is_sid_stream(stream):
                self.unserve(stream)

    def leave_all(self, socket: Socket) -> None:
        """End all memberships."""
        for stream in list(socket.rooms):
            self.leave(socket, stream)

    # Sockets.

    def close(self, socket: Socket) -> None:
        """Close a socket's transport; its session is not touched, so that the client can come back to it."""
        if socket.state == DEAD:
            return
        socket.state = DEAD
        socket.transport.close()
        self.sockets.pop(socket, None)
        if self.by_sid.get(socket.sid) is socket:
            del self.by_sid[socket.sid]
        self.leave_all(socket)
        if socket.claim:
            self.subscriber.release(socket.tenure)
        self.runner.wake(socket.arrived)

    def close_all(self, stream: Stream | None) -> None:
        """Close the transports of all in a stream, or of all."""
        for socket in list(self.sockets if stream is None else self.members.get(stream, {}).values()):
            self.close(socket)

    def from_client(self, transport: Transport, frame: tuple[Any, ...]) -> None:
        """Take a frame from a client."""
        requests.take(self, transport, frame)

    def fenced(self, tenure: Tenure) -> None:
        """Drop the socket that does not speak for its session any more."""
        socket = self.by_sid.get(tenure.sid)
        if socket is not None and socket.tenure == tenure:
            if "fenced_is_disconnected" in self.bugs:
                socket.write("disconnect")
            self.close(socket)

    def fence(self, tenure: Tenure) -> None:
        """Learn from the log that a tenure is over."""
        self.subscriber.fence(tenure.sid, tenure.claim + 1)

    def ping(self, socket: Socket) -> None:
        """Ask for a receipt for everything written so far."""
        if not socket.tick:
            socket.write("ping", self.offset)

    def ping_all(self) -> None:
        """Ask all for a receipt, which is due at once."""
        for socket in self.sockets:
            if socket.state == LIVE:
                socket.is_receipt_due = True
                self.ping(socket)

    # Publishing.

    def publish(self, message: Message) -> Answer:
        """Append to the log; see `Publisher`."""
        if "local_first" in self.bugs and len(message.rooms) == 1:
            for socket in self.audience(stream_of(message.rooms[0]), ()):
                if socket.sid != sid_of(message.excluded):
                    socket.write("event", message.number, str(self.offset), self.world.stamp)
        return self.publisher.publish(message)
