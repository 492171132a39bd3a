"""Who is in which room on this node, and delivery to them.

A python-socketio client manager whose costs do not depend on how many rooms and clients exist: joining,
leaving, listing and disconnecting cost what the client's own rooms cost, and a room message is encoded once
and handed to each member's transport, without a task for each.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import socketio
from socketio.packet import EVENT

from roomwire.codec import encoded_parts
from roomwire.engine.packets import MESSAGE
from roomwire.frames import Shared


class Delivers(Protocol):
    """What rooms need of the server."""

    packet_class: type

    def deliver(self, eio_sid: str, namespace: str, packets: Sequence[str | bytes]) -> None:
        """Send an encoded event to one client."""


class Rooms(socketio.AsyncManager):  # type: ignore[misc] # python-socketio has no types
    """The rooms of this node. Combines with python-socketio's Redis manager as its base."""

    server: Delivers

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._rooms_of: dict[tuple[str, str], dict[str | None, None]] = {}

    async def emit(
        self,
        event: str,
        data: Any,
        namespace: str,
        room: Any = None,
        skip_sid: Any = None,
        callback: Any = None,
        to: Any = None,
        **kwargs: Any,
    ) -> None:
        """Deliver an event to the members of a room on this node; as `socketio.AsyncManager.emit`."""
        if callback is not None:
            await super().emit(event, data, namespace, room, skip_sid, callback, to, **kwargs)
            return
        arguments = list(data) if isinstance(data, tuple) else [] if data is None else [data]
        packet = self.server.packet_class(EVENT, data=[event, *arguments], namespace=namespace)
        parts = encoded_parts(packet)
        packets = [Shared(MESSAGE + part) if isinstance(part, str) else part for part in parts]
        skipped = set(skip_sid) if isinstance(skip_sid, list) else {skip_sid}
        for sid, eio_sid in self.get_participants(namespace, to or room):
            if sid not in skipped:
                self.server.deliver(eio_sid, namespace, packets)

    def get_rooms(self, sid: str, namespace: str) -> list[str]:
        """Return the rooms a client is in."""
        return [room for room in self._rooms_of.get((namespace, sid), ()) if room is not None]

    def basic_enter_room(
        self, sid: str, namespace: str, room: str | None, eio_sid: str | None = None
    ) -> None:
        """Enter a room and remember it with the client."""
        super().basic_enter_room(sid, namespace, room, eio_sid=eio_sid)
        self._rooms_of.setdefault((namespace, sid), {})[room] = None

    def basic_leave_room(self, sid: str, namespace: str, room: str | None) -> None:
        """Leave a room; nothing happens if the client is not in there."""
        super().basic_leave_room(sid, namespace, room)
        own = self._rooms_of.get((namespace, sid))
        if own is not None:
            own.pop(room, None)
            if not own:
                del self._rooms_of[namespace, sid]

    def basic_disconnect(self, sid: str, namespace: str, **kwargs: Any) -> None:  # noqa: ARG002 - stock's
        """Leave all rooms, walking only over those that the client is in."""
        for room in list(self._rooms_of.get((namespace, sid), ())):
            self.basic_leave_room(sid, namespace, room)
        self.callbacks.pop(sid, None)
        for pending in (self.pending_connect, self.pending_disconnect):
            if sid in pending.get(namespace, ()):
                pending[namespace].remove(sid)
                if not pending[namespace]:
                    del pending[namespace]
