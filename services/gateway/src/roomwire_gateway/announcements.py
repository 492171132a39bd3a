"""Announces what happens in the chat to a room, or to all clients, in the form that each audience receives.

This module owns the two forms of a message: the tutorial's text alone, and the text with the structured message.
"""

import uuid
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from typing import Any, Literal

from roomwire import Gateway, Keep
from roomwire_gateway.messages import Kept, Message, PresenceChange, Sender
from roomwire_gateway.rooms import AUDIENCES, audience_of


class Announcements:
    """Announces what happens in the chat.

    Args:
        gateway: The gateway that emits the announcements.
        clock: Returns the time in UTC.

    """

    def __init__(self, gateway: Gateway, clock: Callable[[], datetime]) -> None:
        self._gateway = gateway
        self._clock = clock

    async def message(self, sid: str, text: str, *, sender: Sender | None) -> None:
        """Send a client's message to all clients."""
        said = Message(id=uuid.uuid4().hex, user=sid, text=text, at=self._clock(), sender=sender)
        await self._announce("message", f"[{sid}] {text}", said)

    async def said(
        self, room: str, user: str, text: str, *, sender: Sender | None, message_id: str | None, own_id: str
    ) -> None:
        """Send a message to a room and keep it in the room's history, once for each id.

        Args:
            room: The room.
            user: The name that the client gives.
            text: The text.
            sender: The client's user; None for a client without a token.
            message_id: The client's id of the message. None: the message gets an id here.
            own_id: The same id, made unique to the client; empty if there is none.

        """
        said = Message(
            id=message_id or uuid.uuid4().hex,
            room=room,
            user=user,
            text=text,
            at=self._clock(),
            kind="message",
            sender=sender,
        )
        keep = Keep(room=room, entry=Kept(own_id=own_id or said.id, message=said))
        await self._announce("roomMessage", f"[{user} in {room}] {text}", said, own_id, keep)

    async def came_or_went(
        self, room: str, user: str, kind: Literal["joined", "left"], *, sender: Sender | None
    ) -> None:
        """Tell a room that a member joined or left."""
        text = f"{user} has {kind} room {room}"
        said = Message(
            id=uuid.uuid4().hex, room=room, user=user, text=text, at=self._clock(), kind=kind, sender=sender
        )
        await self._announce("roomMessage", text, said)

    async def presence(self, change: PresenceChange) -> None:
        """Send a change of a room's members to the members that asked for structured messages."""
        await self._gateway.emit("presence", change, to=audience_of("full", change.room))

    def to_room(
        self,
        event: str,
        args: Sequence[Any],
        *,
        room: str = "",
        except_rooms: Sequence[str] = (),
        message_id: str = "",
        keep: Keep | None = None,
    ) -> Sequence[Coroutine[Any, Any, None]]:
        """Return the emits that send a backend's event to a room or, without a room, to all clients.

        Members of `except_rooms` do not receive the event.

        The log contains the events in the order in which the caller starts the emits. Each emit has a message id of its own,
        so all of them can safely be repeated after an error. The first emit stores the entry of `keep` in the room's history.
        """
        left_out = [audience_of(audience, one) for one in except_rooms for audience in AUDIENCES]
        return [
            self._gateway.emit(
                event,
                tuple(args),
                to=audience_of(audience, room),
                except_rooms=left_out or None,
                message_id=f"{message_id}:{number}" if message_id else "",
                keeps_history=keep if keep and not number else False,
            )
            for number, audience in enumerate(AUDIENCES)
        ]

    async def _announce(
        self, event: str, text: str, message: Message, own_id: str = "", keep: Keep | None = None
    ) -> None:
        """Send a message to both audiences of its room, or of the namespace if it has none, once for each id."""
        for audience, said in zip(AUDIENCES, (text, (text, message)), strict=True):
            room = audience_of(audience, message.room)
            message_id = f"{own_id}:{audience}" if own_id else ""
            # The first emit keeps the message, so that a message in the history has been published.
            await self._gateway.emit(event, said, to=room, message_id=message_id, keeps_history=keep or False)
            keep = None
