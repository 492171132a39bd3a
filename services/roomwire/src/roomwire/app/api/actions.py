"""The API's actions, each checked against the permissions of its caller. This module does not know HTTP.

`Actions` performs what the server alone can do in any application, and refuses the rest. An application that knows more about its
users and rooms overrides methods and passes the class to `App(api=...)`.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Coroutine, Sequence
from typing import Final

import msgspec

from roomwire.app.api.audit import audited
from roomwire.app.api.bodies import (
    Disconnected,
    EntryAnswer,
    HistoryAnswer,
    Keeping,
    MemberAnswer,
    Moved,
    PresenceAnswer,
    RoomAnswer,
    Said,
    StandingChanged,
    ToEveryone,
    ToRoom,
    ToUser,
)
from roomwire.app.api.callers import Caller
from roomwire.errors import ClientError, InvalidBody, NotFound
from roomwire.gateways.errors import NoSuchNamespace
from roomwire.gateways.moderation import Moderation
from roomwire.identity.capabilities import CONNECT
from roomwire.log.kept import Keep
from roomwire.log.sessions import is_sid
from roomwire.rooms.users import is_user_room, user_room
from roomwire.server import Server

TIMEOUT_S: Final = 2.0
_AUDITED_TARGETS: Final = 10
_EVERY_NAMESPACE: Final = "*"


class Actions:
    """Does what callers ask for, in the namespaces of one server.

    The first eight methods are the calls. They check what the caller may do and that the namespace is served, and write the audit;
    an application overrides the methods behind them, so that it cannot forget either. All raise `Forbidden` for what the caller
    may not do, `NotFound` for a namespace that is not served and for what this application cannot do, and `Unavailable`.

    Args:
        server: The server.

    """

    def __init__(self, server: Server) -> None:
        self._server = server

    async def publish(self, caller: Caller, messages: Sequence[Said], *, key: str) -> int:
        """Publish events to rooms, users or everyone; if one is not allowed, none is published.

        Args:
            caller: The caller.
            messages: The messages, in the order of their delivery.
            key: The caller's key of the request. If it is repeated, each message is delivered once. Empty if there is none.

        Returns:
            The number of messages that were published, now or before.

        Raises:
            OutcomeUnknown: Some or all may have been published.

        """
        targets = [*dict.fromkeys(map(target_of, messages))]
        with audited(caller, "publish", messages=len(messages), to=targets[:_AUDITED_TARGETS]):
            for message in messages:
                _check(caller, message)
                self._require(message.namespace, caller)
            sayings: list[Coroutine[object, object, None]] = []
            try:
                for number, message in enumerate(messages):
                    sayings += self.saying(message, _message_id(caller, message, key, number))
            except ClientError:
                for saying in sayings:
                    saying.close()
                raise
            # They begin in this order, which is their order in the log.
            outcomes = await asyncio.gather(*sayings, return_exceptions=True)
            for outcome in outcomes:
                if outcome is not None:
                    raise outcome
        return len(messages)

    async def rooms(self, caller: Caller, *, namespace: str, limit: int) -> list[RoomAnswer]:
        """Return the rooms with connected members, the largest first."""
        caller.capabilities.require("rooms")
        self._require(namespace, caller)
        return await self.largest_rooms(namespace=namespace, limit=limit)

    async def presence(self, caller: Caller, room: str, *, namespace: str, limit: int) -> PresenceAnswer:
        """Return the members of a room, connected or away."""
        caller.capabilities.require("presence", room)
        self._require(namespace, caller)
        return await self.members(room, namespace=namespace, limit=limit)

    async def history(
        self, caller: Caller, room: str, *, namespace: str, after: str, limit: int
    ) -> HistoryAnswer:
        """Return the messages of a room: the newest ones, or those that follow a position."""
        caller.capabilities.require("history", room)
        self._require(namespace, caller)
        return await self.remembered(room, namespace=namespace, after=after, limit=limit)

    async def disconnect(self, caller: Caller, user: str, *, namespace: str) -> Disconnected:
        """Send all sockets of a user away, and end the sessions of those that are away."""
        with audited(caller, "disconnect", user=user) as known:
            caller.capabilities.require("admin")
            self._require(namespace, caller)
            answer = await self.disconnect_user(user, namespace=namespace)
            known.update(done=answer.disconnected, failed=answer.failed)
        return answer

    async def move(self, caller: Caller, room: str, to: str, *, namespace: str, user: str = "") -> Moved:
        """Move the connected members of a room, or (`user`) one user's, to another; members that may not join it stay."""
        with audited(caller, "move", room=room, to=to, user=user or "all") as known:
            caller.capabilities.require("admin")
            self._require(namespace, caller)
            answer = await self.move_members(room, to, namespace=namespace, user=user)
            known.update(done=answer.moved, refused=answer.refused, failed=answer.failed)
        return answer

    async def ban(self, caller: Caller, user: str, *, for_s: float) -> StandingChanged:
        """Keep a user out of all moderated gateways for some time; 0 seconds end a ban."""
        with audited(caller, "ban", user=user, for_s=for_s):
            caller.capabilities.require("admin")
            return await self.ban_user(user, for_s=for_s, by=caller.id)

    async def mute(self, caller: Caller, user: str, *, for_s: float) -> StandingChanged:
        """Refuse the events of a user in all moderated gateways for some time; 0 seconds end a mute."""
        with audited(caller, "mute", user=user, for_s=for_s):
            caller.capabilities.require("admin")
            return await self.mute_user(user, for_s=for_s, by=caller.id)

    def saying(self, message: Said, message_id: str) -> Sequence[Coroutine[object, object, None]]:
        """Return coroutines that publish an event. If they begin in this order, the log has this order.

        Args:
            message: The event.
            message_id: A further event with this id is dropped. Empty if there is none.

        """
        has_users = self._server.has_user_rooms(message.namespace)
        to, except_rooms = None, None
        if isinstance(message, ToUser):
            if not has_users:
                raise NotFound("This application cannot publish to a user: name a room.")
            to = user_room(message.user)
        elif isinstance(message, ToRoom):
            if has_users and is_user_room(message.room):
                raise NotFound("This room is a user's own: name the user.")
            to = message.room
        if not isinstance(message, ToUser):
            except_rooms = message.except_rooms or None
        return [
            self._server.emit(
                message.event,
                tuple(message.args),
                to=to,
                namespace=message.namespace,
                message_id=message_id,
                keeps_history=keep_of(message) or False,
                except_rooms=except_rooms,
            )
        ]

    async def largest_rooms(self, *, namespace: str, limit: int) -> list[RoomAnswer]:
        """Return the answer of `rooms`."""
        found = await self._server.fetch_sockets(namespace=namespace, timeout_s=TIMEOUT_S)
        has_users = self._server.has_user_rooms(namespace)
        sizes = Counter(
            room
            for socket in found.sockets
            for room in socket.rooms
            if isinstance(room, str) and not is_sid(room) and not (has_users and is_user_room(room))
        )
        return [RoomAnswer(room=room, members=members) for room, members in sizes.most_common(limit)]

    async def members(self, room: str, *, namespace: str, limit: int) -> PresenceAnswer:
        """Return the answer of `presence`."""
        found = await self._server.presence(room, namespace=namespace, timeout_s=TIMEOUT_S, limit=limit)
        members = [
            MemberAnswer(
                id=one.sid,
                name=one.user_name,
                user=one.user_id,
                kind=one.user_kind,
                gateway=name_of(one.node),
                connected=one.is_connected,
            )
            for one in found.present
        ]
        return PresenceAnswer(
            room=room, total=found.total, members=members, missing=[*map(name_of, found.missing)]
        )

    async def remembered(
        self,
        room: str,
        *,
        namespace: str,
        after: str,
        limit: int,
    ) -> HistoryAnswer:
        """Return the answer of `history`."""
        if self._server.history is None:
            raise NotFound("This application keeps no history.")
        recalled = await self._server.history.recall(room, limit=limit, after=after, namespace=namespace)
        messages = [
            EntryAnswer(position=one.position, entry=msgspec.Raw(one.entry)) for one in recalled.entries
        ]
        return HistoryAnswer(room=room, messages=messages, joined=recalled.is_joined, more=recalled.has_more)

    async def disconnect_user(
        self,
        user: str,
        *,
        namespace: str,
    ) -> Disconnected:
        """Perform `disconnect`, and return its answer."""
        if not self._server.has_user_rooms(namespace):
            raise NotFound("This application cannot disconnect a user: revoke the user's sessions.")
        changed = await self._server.disconnect_sockets(user_room(user), namespace=namespace)
        return Disconnected(
            disconnected=changed.done, failed=changed.failed, missing=[*map(name_of, changed.missing)]
        )

    async def move_members(self, room: str, to: str, *, namespace: str, user: str) -> Moved:
        """Perform `move`, and return its answer."""
        found = await self._server.fetch_sockets(room, namespace=namespace, timeout_s=TIMEOUT_S)
        meant = [one for one in found.sockets if room != to and user in {"", one.user.id}]
        sids = [one.sid for one in meant if one.user.capabilities.may("join", to)]
        done, failed, missing = 0, 0, {*found.missing}
        if sids:
            joined = await self._server.sockets_join(sids, to, namespace=namespace, timeout_s=TIMEOUT_S)
            left = await self._server.sockets_leave(sids, room, namespace=namespace, timeout_s=TIMEOUT_S)
            done, failed = joined.done, joined.failed
            missing |= {*joined.missing, *left.missing}
        return Moved(
            moved=done, refused=len(meant) - len(sids), failed=failed, missing=sorted(map(name_of, missing))
        )

    async def ban_user(self, user: str, *, for_s: float, by: str) -> StandingChanged:
        """Perform `ban`, and return its answer."""
        missing = await self._moderated().ban(user, for_s=for_s, by=by)
        return StandingChanged(missing=[*map(name_of, missing)])

    async def mute_user(self, user: str, *, for_s: float, by: str) -> StandingChanged:
        """Perform `mute`, and return its answer."""
        missing = await self._moderated().mute(user, for_s=for_s, by=by)
        return StandingChanged(missing=[*map(name_of, missing)])

    def _moderated(self) -> Moderation:
        """Return one of the moderated gateways; its decisions hold in all of them."""
        for gateway in self._server.registered_handlers().values():
            if isinstance(gateway, Moderation) and gateway.is_moderated:
                return gateway
        raise NotFound("This application cannot ban or mute a user: none of its gateways is moderated.")

    def _require(self, namespace: str, caller: Caller) -> None:
        """Check a namespace.

        Raises:
            NoSuchNamespace: The server does not serve it: no client could receive an event there.
            NotPermitted: Its gateway requires that the caller's capabilities name it, and they do not.

        """
        served = {*self._server.handlers, *self._server.namespace_handlers}
        if not served & {namespace, _EVERY_NAMESPACE} and not self._server.is_of_pattern(namespace):
            raise NoSuchNamespace(namespace)
        if self._server.requires_connect(namespace) and not caller.capabilities.may("admin"):
            caller.capabilities.require(CONNECT, namespace)


def target_of(message: Said) -> str:
    """Return the recipients of a message, as the audit names them."""
    where = "" if message.namespace == "/" else f" in {message.namespace}"
    if isinstance(message, ToEveryone):
        return f"everyone{where}"
    return f"room {message.room}{where}" if isinstance(message, ToRoom) else f"user {message.user}{where}"


def keep_of(message: Said) -> Keep | None:
    """Return what the history of a message's room stores of it, or None if it stores nothing.

    Raises:
        InvalidBody: The room is a client's own and has no history.

    """
    if not isinstance(message, ToRoom) or not message.keeps_history:
        return None
    if is_sid(message.room):
        raise InvalidBody("keeps_history: this room is a client's own and has no history.")
    keeping = Keeping() if message.keeps_history is True else message.keeps_history
    entry = keeping.entry if "entry" in keeping.model_fields_set else msgspec.UNSET
    return Keep(room=message.room, entry=entry, entries=keeping.entries, ttl_s=keeping.ttl_s)


def name_of(node: str) -> str:
    """Return the name of a gateway's incarnation without its random suffix."""
    return node.rpartition(".")[0]


def _check(caller: Caller, message: Said) -> None:
    """Check that a caller may publish a message.

    An event of any name can look like one of the application's own, so what lets a person speak does not suffice.
    """
    may = caller.capabilities
    if isinstance(message, ToUser):
        may.require("admin")
        return
    room = message.room if isinstance(message, ToRoom) else None
    may.require("broadcast" if room is None else "publish", room)
    if not (caller.is_backend or may.may("admin")):
        may.require("emit", room)


def _message_id(caller: Caller, message: Said, key: str, number: int) -> str:
    """Return a message id that is unique to the caller, or an empty one if the caller gave no id or key."""
    if message.id:
        named: tuple[str | int, ...] = ("id", message.id)
    elif key:
        named = ("key", key, number)
    else:
        return ""
    return hashlib.sha256(msgspec.json.encode((caller.id, target_of(message), named))).hexdigest()
