"""The connection that a handler gets."""

import base64
import hashlib
import time
from collections.abc import Mapping
from typing import Final

import msgspec

from roomwire.errors import Forbidden, RateLimited
from roomwire.identity.tokens import User
from roomwire.limits.bounds import Bound
from roomwire.limits.new_rooms import NewRooms
from roomwire.logs import get_logger
from roomwire.rooms.handshake import Handshake
from roomwire.rooms.member import Member
from roomwire.rooms.users import is_user_room
from roomwire.server import Server

_OWN_ID_BYTES: Final = 24

_log = get_logger(__name__)


def shown_user_id(user: User) -> str:
    """Return a user's id as other clients see it: empty for an anonymous user."""
    return "" if user.kind == "anonymous" else user.id


class Socket:
    """One client in one namespace, for as long as it is connected.

    Attributes:
        server: The server to which it is connected.
        member: Its entry in the server's rooms.

    """

    __slots__ = ("member", "server")

    def __init__(self, server: Server, member: Member) -> None:
        self.server = server
        self.member = member

    @property
    def id(self) -> str:
        """The client's id, which is also the name of its own room."""
        return self.member.sid

    @property
    def namespace(self) -> str:
        """The namespace to which the client is connected."""
        return self.member.namespace

    @property
    def parameters(self) -> Mapping[str, str]:
        """The parameters in the name of the namespace, as texts, if a pattern serves it."""
        return self.server.parameters_of(self.member.namespace)

    @property
    def user(self) -> User:
        """The client's user."""
        return self.member.user

    @property
    def recovered(self) -> bool:
        """Whether the client has recovered a session: its rooms and data are restored, and it receives the missed events."""
        return self.member.recovered

    @property
    def handshake(self) -> Handshake:
        """The handshake with which the client connected."""
        return self.member.handshake

    def own_id(self, message_id: str) -> str:
        """Return a client's own id of a message as a `message_id` that is unique to the client.

        The result does not change for a user with a token, nor for a recovered session.
        """
        owner = self.id if self.user.kind == "anonymous" else self.user.id
        digest = hashlib.sha256(msgspec.json.encode((self.user.kind, owner, self.namespace, message_id)))
        return base64.urlsafe_b64encode(digest.digest()[:_OWN_ID_BYTES]).decode()

    def charge(self, cost: int) -> None:
        """Charge the client's rates for what its event has cost beyond the price of its handler.

        Where the cost depends on the data, the handler knows it best. The event itself is not refused; later ones may be.

        Args:
            cost: The cost in ordinary events, see `subscribe`. Nothing is charged for 0.

        """
        self.server.charges.charge(self.member.connection, cost)

    async def emit(self, event: str, *args: object) -> None:
        """Send an event to this client."""
        data = to_wire(args)
        await self.server.emit(event, data, to=self.id, namespace=self.namespace, ignore_queue=True)

    async def broadcast(self, room: str, event: str, *args: object, message_id: str = "") -> None:
        """Send an event to all members of a room except this client, on all gateways.

        Args:
            room: The room.
            event: The event's name.
            args: The event's arguments.
            message_id: A further event with the same id is dropped, on all gateways; see `Server.emit` and `own_id`.
                Default: none.

        Raises:
            Unavailable: The event was not published; try again.
            OutcomeUnknown: The event may have been published; try again with the same `message_id`.

        """
        await self.server.emit(
            event,
            to_wire(args),
            to=room,
            skip_sid=self.id,
            namespace=self.namespace,
            message_id=message_id,
        )

    async def join(self, room: str) -> None:
        """Join a room. The method is idempotent.

        Raises:
            Forbidden: The gateway has rooms of users, and the name is that of such a room.
            Unavailable: The client has not joined; try again.

        """
        if is_user_room(room) and self.server.has_user_rooms(self.namespace):
            raise Forbidden("A name that begins with `user:` is a user's own room.")
        await self.server.enter_room(self.id, room, namespace=self.namespace)

    async def leave(self, room: str) -> None:
        """Leave a room. Nothing happens if the client is not a member."""
        await self.server.leave_room(self.id, room, namespace=self.namespace)

    def in_room(self, room: str) -> bool:
        """Say whether this client is in a room."""
        return room in self.server.rooms(self.id, namespace=self.namespace)

    def require_voice(self) -> None:
        """Raise `Muted` if the user is muted and the gateway uses the standings of users; see `Gateway.mute`.

        A moderated gateway does this before each handler, except those with `subscribe(..., requires_voice=False)`.
        """
        standings = self.server.standings
        if standings is not None and self.user.kind != "anonymous":
            standings.require_voice(self.user.id)

    def require_room(self, room: object) -> None:
        """Count a room that this client wants to join, or to speak to without being in it: a new room costs Redis memory.

        Call it where clients choose the rooms. A room that the client is in is not counted.

        Raises:
            RateLimited: The client has opened too many different rooms within ten minutes (`ROOMWIRE_MAX_NEW_ROOMS`).

        """
        member, engine = self.member, self.server.eio
        if room in member.rooms:
            return
        if member.new_rooms is None:
            member.new_rooms = NewRooms(engine.limits.max_new_rooms)
        if not member.new_rooms.is_exceeded(room, time.monotonic()):
            return
        engine.exceeded(Bound.NEW_ROOMS)
        if not member.new_rooms.was_exceeded:
            member.new_rooms.was_exceeded = True
            _log.warning(
                "client opens too many rooms",
                sid=self.id,
                user=self.user.id,
                kind=self.user.kind,
                namespace=self.namespace,
            )
        raise RateLimited("You have opened too many rooms: try again later.")

    def renew(self, user: User) -> None:
        """Extend this client's connection with a new token; `user` is the user that a `Verifier` returned for it.

        Raises:
            Forbidden: The token belongs to another user, or it expires sooner than the client's present token.

        """
        self.server.renew(self.member, user)

    async def disconnect(self) -> None:
        """Disconnect the client. The official client does not reconnect by itself afterwards."""
        await self.server.disconnect(self.id, namespace=self.namespace)


def to_wire(value: object) -> object:
    """Return a handler's value in the form that the server accepts. A named tuple is one value, like a struct."""
    return list(value) if isinstance(value, tuple) and hasattr(value, "_fields") else value
