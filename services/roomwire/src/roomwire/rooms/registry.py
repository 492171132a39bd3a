"""The members of each room on this node, and the log's stream of each room. Pure.

An operation of one client costs only as much as its own rooms, however many rooms and clients there are. The registry caches
the receivers of a stream and invalidates them itself when its members change.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import cast

from roomwire.engine.turn import Outlet
from roomwire.log.streams import Stream, namespace_stream, sid_stream
from roomwire.rooms.member import Member

Audience = tuple[str, list[Outlet], list[Outlet]]
"""The receivers of an entry: their namespace, those that get an offset with it, and those that do not."""


class Registry:
    """The members of this node and their rooms.

    Attributes:
        rooms: namespace → room → id → member, for `stock_rooms`. The room None has all members. A room that is an id is not
            included; its only member is in the room None.
        streams: namespace, room → the log's stream of the room, for rooms with members on this node. Read-only. Names that are
            equal in Python, such as 1 and 1.0, are one room with several streams, of which the newest is listed.

    """

    def __init__(self) -> None:
        self.rooms: dict[str, dict[object, dict[str, Member]]] = {}
        self._by_sid: dict[object, Member] = {}
        self._named: dict[Stream, tuple[str, object]] = {}
        self.streams: dict[tuple[str, object], Stream] = {}
        self._older: dict[tuple[str, object], set[Stream]] = {}
        self._audiences: dict[Stream, Audience] = {}

    def find(self, sid: object) -> Member | None:
        """Return the member of an id, whatever its namespace and its phase."""
        return self._by_sid.get(sid)

    def all_members(self) -> Collection[Member]:
        """Return the members of all namespaces."""
        return list(self._by_sid.values())

    def member(self, sid: str | None, namespace: str) -> Member | None:
        """Return the member of an id in a namespace, whatever its phase."""
        return None if sid is None else self._everybody(namespace).get(sid)

    def members(self, namespace: str, room: object) -> Collection[Member]:
        """Return the members of a room, of several rooms, or (None) of the namespace. Do not change the result."""
        rooms = self.rooms.get(namespace)
        if rooms is None:
            return ()
        if hasattr(room, "__len__") and not isinstance(room, str):
            return {
                member.sid: member
                for one in cast("Collection[object]", room)
                for member in self.members(namespace, one)
            }.values()
        found = rooms.get(room)
        if found is not None:
            return found.values()
        alone = rooms[None].get(room) if isinstance(room, str) else None
        return () if alone is None else (alone,)

    def members_of(self, stream: Stream) -> Collection[Member]:
        """Return the members that receive a stream of the log."""
        named = self._named.get(stream)
        return () if named is None else self.members(*named)

    def has_receivers(self, stream: Stream) -> bool:
        """Return whether a member on this node receives a stream: hot."""
        return stream in self._named

    def streams_of(self, member: Member) -> Iterator[Stream]:
        """Yield the streams whose entries a member receives."""
        yield sid_stream(member.sid)
        yield namespace_stream(member.namespace)
        yield from member.streams
        if self._older:
            for room in member.rooms:
                yield self.streams[member.namespace, room]

    def audience(self, stream: Stream) -> Audience | None:
        """Return the receivers of a stream, or None if there are none on this node: hot."""
        return self._audiences.get(stream) or self._look_up(stream)

    def audience_without(self, stream: Stream, skipped: Collection[str]) -> Audience | None:
        """Return the receivers of a stream without some clients, or None if there are none on this node: hot."""
        named = self._named.get(stream)
        if named is None:
            return None
        members = [member for member in self.members(named[0], named[1]) if member.sid not in skipped]
        recoverable = [member.outlet for member in members if member.pid is not None]
        if len(recoverable) == len(members):
            return named[0], recoverable, []
        return named[0], recoverable, [member.outlet for member in members if member.pid is None]

    def audience_within(
        self,
        stream: Stream,
        rooms: Collection[Stream],
        skipped: Collection[str],
        excepted: Collection[Stream] = (),
    ) -> Audience | None:
        """Return the receivers of a stream's entry for some rooms of its namespace, or (without rooms) for its members.

        Each receives it once; some clients, and the members of the `excepted` rooms, do not.
        """
        named = self._named.get(stream)
        if named is None:
            return None
        members = {member.sid: member for room in rooms or (stream,) for member in self.members_of(room)}
        left_out = {*skipped, *(member.sid for room in excepted for member in self.members_of(room))}
        # A list of receivers can name clients of other namespaces, which do not get this entry.
        return audience_of(
            [one for one in members.values() if one.sid not in left_out and one.namespace == named[0]]
        )

    def _look_up(self, stream: Stream) -> Audience | None:
        members = self.members_of(stream)
        audience = audience_of(members)
        if audience is not None and all(member.is_released for member in members):
            # The outlet of a member that is held back changes without notice here, so the receivers are not cached.
            self._audiences[stream] = audience
        return audience

    def count(self) -> int:
        """Return the number of rooms with members on this node, without the room of all and each member's own."""
        return sum(len(rooms) - 1 for rooms in self.rooms.values())

    def is_own_room(self, namespace: str, room: object) -> bool:
        """Return whether a room is the own room of a member on this node."""
        return room in self._everybody(namespace)

    def _everybody(self, namespace: str) -> Mapping[str, Member]:
        rooms = self.rooms.get(namespace)
        return {} if rooms is None else rooms[None]

    # -- changes

    def admit(self, member: Member) -> None:
        """Register a member by its id, and receive the entries for it and for its namespace."""
        namespace, sid = member.namespace, member.sid
        self.rooms.setdefault(namespace, {None: {}})[None][sid] = member
        self._by_sid[sid] = member
        self._name(namespace_stream(namespace), namespace, None)
        own = sid_stream(sid)
        self._named[own] = (namespace, sid)
        self._audiences.pop(own, None)
        if member not in member.connection.members:
            member.connection.members = (*member.connection.members, member)

    def enter(self, member: Member, room: object, stream: Stream) -> None:
        """Put a member into a room, which a stream carries."""
        namespace = member.namespace
        self.rooms[namespace].setdefault(room, {})[member.sid] = member
        self._name(stream, namespace, room)
        member.joined(room, stream)

    def leave(self, member: Member, room: object) -> Stream | None:
        """Take a member out of a room; return the stream that carried the room, or None if it was not a member."""
        rooms = self.rooms.get(member.namespace, {})
        found = None if room is None else rooms.get(room)
        if found is None or found.pop(member.sid, None) is None:
            return None
        self._forget_audiences(member.namespace, room)
        if not found:
            del rooms[room]
            self._unname(member.namespace, room)
        return member.left(room)

    def remove(self, member: Member) -> None:
        """Remove a member that has left its rooms."""
        namespace, sid = member.namespace, member.sid
        everybody = self.rooms[namespace][None]
        del everybody[sid], self._by_sid[sid]
        own, all_of_it = sid_stream(sid), namespace_stream(namespace)
        del self._named[own]
        self._audiences.pop(own, None)
        self._audiences.pop(all_of_it, None)
        if not everybody:
            del self.rooms[namespace]
            self._unname(namespace, None)
        connection = member.connection
        connection.members = tuple(other for other in connection.members if other is not member)

    def _name(self, stream: Stream, namespace: str, room: object) -> None:
        """Note the stream of a room, and that the members of the room have changed."""
        self._named[stream] = (namespace, room)
        before = self.streams.get((namespace, room), stream)
        self.streams[namespace, room] = stream
        if before != stream:
            self._older.setdefault((namespace, room), set()).add(before)
        self._forget_audiences(namespace, room)

    def _forget_audiences(self, namespace: str, room: object) -> None:
        self._audiences.pop(self.streams[namespace, room], None)
        for stream in self._older.get((namespace, room), ()):
            self._audiences.pop(stream, None)

    def _unname(self, namespace: str, room: object) -> None:
        for stream in {self.streams.pop((namespace, room)), *self._older.pop((namespace, room), ())}:
            del self._named[stream]


def audience_of(members: Collection[Member]) -> Audience | None:
    """Return some members of one namespace as receivers, or None if there are none."""
    for member in members:
        recoverable = [each.outlet for each in members if each.pid is not None]
        return member.namespace, recoverable, [each.outlet for each in members if each.pid is None]
    return None
