"""What the API does, each action checked against what its caller may do. Knows no HTTP."""

import asyncio
import hashlib
from collections.abc import Coroutine, Sequence
from typing import Any, Final

import msgspec

from roomwire.app.callers import Caller
from roomwire.history.contract import History
from roomwire_gateway.api.audit import audited
from roomwire_gateway.api.bodies import (
    Disconnected,
    HistoryAnswer,
    MemberAnswer,
    MessageAnswer,
    Moved,
    PresenceAnswer,
    RoomAnswer,
    Said,
    ToEveryone,
    ToRoom,
    ToUser,
)
from roomwire_gateway.chat import ChatGateway
from roomwire_gateway.messages import Kept
from roomwire_gateway.rooms import member_of

_AUDITED_TARGETS: Final = 10


class Actions:
    """Does what callers ask for. All methods raise `Forbidden` and `Unavailable`.

    Args:
        chat: The chat.
        history: Keeps what was said in rooms.

    """

    def __init__(self, chat: ChatGateway, history: History) -> None:
        self._chat = chat
        self._history = history

    async def publish(self, caller: Caller, messages: Sequence[Said], *, key: str) -> int:
        """Say events to rooms, users or everybody; either all may be said, or none is.

        Args:
            caller: Who says it.
            messages: What, in the order in which it is to be heard.
            key: What the caller calls the request: said again under it, each message is heard once. Empty: nothing.

        Returns:
            How many were said, now or before.

        Raises:
            OutcomeUnknown: Some may have been said, or all.

        """
        targets = [*dict.fromkeys(map(_target, messages))]
        with audited(caller, "publish", messages=len(messages), to=targets[:_AUDITED_TARGETS]):
            for message in messages:
                _check(caller, message)
            sayings = [
                saying
                for number, message in enumerate(messages)
                for saying in self._saying(message, _message_id(caller, message, key, number))
            ]
            # They begin in this order, and so stand in the log.
            outcomes = await asyncio.gather(*sayings, return_exceptions=True)
            for outcome in outcomes:
                if outcome is not None:
                    raise outcome
        return len(messages)

    def _saying(self, message: Said, message_id: str) -> Sequence[Coroutine[Any, Any, None]]:
        return self._chat.saying(
            message.event,
            message.args,
            room=message.room if isinstance(message, ToRoom) else "",
            user=message.user if isinstance(message, ToUser) else "",
            message_id=message_id,
        )

    async def rooms(self, caller: Caller, *, limit: int) -> list[RoomAnswer]:
        """Return the rooms with connected members, the largest first."""
        caller.capabilities.require("rooms")
        found = await self._chat.rooms_of_all.largest(limit=limit)
        return [RoomAnswer(room=one.room, members=one.members) for one in found]

    async def presence(self, caller: Caller, room: str, *, limit: int) -> PresenceAnswer:
        """Return who is in a room, connected or away."""
        caller.capabilities.require("presence", room)
        found = await self._chat.rooms_of_all.presence(room, limit=limit)
        members = []
        for one in found.present:
            member = member_of(one, room)
            members.append(
                MemberAnswer(
                    id=member.id,
                    name=member.user,
                    user=one.user_id,
                    kind=one.user_kind,
                    gateway=member.gateway,
                    connected=one.is_connected,
                )
            )
        return PresenceAnswer(
            room=room, total=found.total, members=members, missing=[*map(_name, found.missing)]
        )

    async def history(self, caller: Caller, room: str, *, after: str, limit: int) -> HistoryAnswer:
        """Return what was said in a room: the newest, or what follows a position."""
        caller.capabilities.require("history", room)
        recalled = await self._history.recall(room, limit=limit, after=after)
        messages: dict[str, MessageAnswer] = {}
        for one in recalled.entries:
            kept = msgspec.json.decode(one.entry, type=Kept)
            # What was said again under its id is remembered again.
            answer = MessageAnswer(
                position=one.position,
                id=kept.message.id,
                user=kept.message.user,
                text=kept.message.text,
                at=kept.message.at,
            )
            messages.setdefault(kept.own_id, answer)
        return HistoryAnswer(
            room=room, messages=[*messages.values()], joined=recalled.is_joined, more=recalled.has_more
        )

    async def disconnect(self, caller: Caller, user: str) -> Disconnected:
        """Send all sockets of a user away, and end the sessions of those that are away."""
        with audited(caller, "disconnect", user=user) as known:
            caller.capabilities.require("admin")
            changed = await self._chat.disconnect_user(user)
            known.update(done=changed.done, failed=changed.failed)
        return Disconnected(
            disconnected=changed.done, failed=changed.failed, missing=[*map(_name, changed.missing)]
        )

    async def move(self, caller: Caller, room: str, to: str, *, user: str = "") -> Moved:
        """Take the connected members of a room, or (`user`) one user's, into another."""
        with audited(caller, "move", room=room, to=to, user=user or "all") as known:
            caller.capabilities.require("admin")
            moved = await self._chat.move(room, to, user=user)
            known.update(done=moved.done, refused=moved.refused, failed=moved.failed)
        return Moved(
            moved=moved.done, refused=moved.refused, failed=moved.failed, missing=[*map(_name, moved.missing)]
        )


def _check(caller: Caller, message: Said) -> None:
    if isinstance(message, ToRoom):
        caller.capabilities.require("publish", message.room)
    else:
        caller.capabilities.require("admin" if isinstance(message, ToUser) else "broadcast")


def _target(message: Said) -> str:
    if isinstance(message, ToEveryone):
        return "everyone"
    return f"room {message.room}" if isinstance(message, ToRoom) else f"user {message.user}"


def _message_id(caller: Caller, message: Said, key: str, number: int) -> str:
    """Return a message id that nobody else's can equal; empty if the caller names nothing to know it by."""
    if message.id:
        named: tuple[str | int, ...] = ("id", message.id)
    elif key:
        named = ("key", key, number)
    else:
        return ""
    return hashlib.sha256(msgspec.json.encode((caller.id, _target(message), named))).hexdigest()


def _name(node: str) -> str:
    """Return the name of a gateway's incarnation without what is random."""
    return node.rpartition(".")[0]
