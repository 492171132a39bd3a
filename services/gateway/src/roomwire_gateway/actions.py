"""The HTTP API's actions in the chat, which has two audiences per room, a room for each user, and a history."""

from collections.abc import Coroutine, Sequence

import msgspec

from roomwire import Keep
from roomwire.app.api.actions import Actions, keep_of, name_of
from roomwire.app.api.bodies import (
    HistoryAnswer,
    MemberAnswer,
    MessageAnswer,
    Moved,
    PresenceAnswer,
    RoomAnswer,
    Said,
    SenderAnswer,
    ToRoom,
    ToUser,
)
from roomwire.errors import NotFound
from roomwire_gateway.chat import ChatGateway
from roomwire_gateway.messages import Kept, Message
from roomwire_gateway.rooms import member_of


class ChatActions(Actions):
    """Carries out the callers' requests in the chat; see `Actions`.

    Args:
        chat: The chat.

    """

    def __init__(self, chat: ChatGateway) -> None:
        super().__init__(chat.server)
        self._chat = chat

    def saying(self, message: Said, message_id: str) -> Sequence[Coroutine[object, object, None]]:
        """Return the emits of an event: to both audiences of a room or of all clients, or to the room of a user."""
        if isinstance(message, ToUser):
            # The number is always appended, because gateways of the previous release know the message by that id.
            return super().saying(message, f"{message_id}:0" if message_id else "")
        room = message.room if isinstance(message, ToRoom) else ""
        return self._chat.announcements.to_room(
            message.event,
            message.args,
            room=room,
            except_rooms=message.except_rooms,
            message_id=message_id,
            keep=_keep_of(message, message_id),
        )

    async def largest_rooms(self, *, namespace: str, limit: int) -> list[RoomAnswer]:  # noqa: ARG002 - the chat has one
        """Return the rooms with connected members, the largest first."""
        found = await self._chat.rooms.largest(limit=limit)
        return [RoomAnswer(room=one.room, members=one.members) for one in found]

    async def members(self, room: str, *, namespace: str, limit: int) -> PresenceAnswer:  # noqa: ARG002 - the chat has one
        """Return the members of a room, connected or away, under the names that they chose there."""
        found = await self._chat.rooms.presence(room, limit=limit)
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
            room=room, total=found.total, members=members, missing=[*map(name_of, found.missing)]
        )

    async def remembered(
        self,
        room: str,
        *,
        namespace: str,  # noqa: ARG002 - the chat has one
        after: str,
        limit: int,
    ) -> HistoryAnswer:
        """Return a room's messages: the newest ones, or those after a position."""
        recalled = await self._chat.history(room, limit=limit, after=after)
        messages: dict[str, MessageAnswer] = {}
        for one in recalled.entries:
            kept = msgspec.json.decode(one.entry, type=Kept)
            # Gateways of the previous release kept a repeated message again under the same id.
            sender = kept.message.sender
            answer = MessageAnswer(
                position=one.position,
                id=kept.message.id,
                user=kept.message.user,
                text=kept.message.text,
                at=kept.message.at,
                sender=SenderAnswer(id=sender.id, kind=sender.kind) if sender else None,
            )
            messages.setdefault(kept.own_id, answer)
        return HistoryAnswer(
            room=room, messages=[*messages.values()], joined=recalled.is_joined, more=recalled.has_more
        )

    async def move_members(self, room: str, to: str, *, namespace: str, user: str) -> Moved:  # noqa: ARG002 - the chat has one
        """Move the connected members of a room, or (`user`) of one user, to another room, under the same names."""
        moved = await self._chat.members.move(room, to, user=user)
        return Moved(
            moved=moved.done,
            refused=moved.refused,
            failed=moved.failed,
            missing=[*map(name_of, moved.missing)],
        )


def _keep_of(message: Said, message_id: str) -> Keep | None:
    """Return the history entry of a backend's event, in the form of the clients' messages.

    Raises:
        NotFound: The event is not one of the chat's messages.

    """
    keep = keep_of(message)
    if keep is None or not keep.room:
        return None
    told = keep.entry if keep.entry is not msgspec.UNSET else (message.args[1:] or [None])[0]
    try:
        said = msgspec.convert(told, Message)
    except msgspec.ValidationError:
        raise NotFound(
            "keeps_history: the chat keeps messages. Send one as the second argument or as `entry`: {id, user, text, at}."
        ) from None
    said = msgspec.structs.replace(said, room=keep.room)
    return Keep(
        room=keep.room,
        entry=Kept(own_id=message_id or said.id, message=said),
        entries=keep.entries,
        ttl_s=keep.ttl_s,
    )
