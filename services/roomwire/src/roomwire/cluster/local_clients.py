"""What other nodes ask for about one client of this node, or about one room."""

import asyncio
from typing import Final, Protocol

import msgspec

from roomwire.cluster.peers import PeerRequest, Peers
from roomwire.errors import InvalidBody, NotFound
from roomwire.log.streams import room_of
from roomwire.rooms.manager import Rooms
from roomwire.rooms.member import Member

_encode: Final = msgspec.msgpack.Encoder(enc_hook=str).encode


class Disconnecting(Protocol):
    """What a `socketio.AsyncServer` does with one client of its own; looked up with each call, as another may stand there then."""

    async def disconnect(self, sid: str, namespace: str | None = None, *, ignore_queue: bool = False) -> None:
        """Send a client away."""


class LocalClients:
    """Does for another node what it asks for.

    Args:
        rooms: The clients of this node.
        peers: Where the requests come from.
        server: Sends a client away.

    """

    def __init__(self, rooms: Rooms, peers: Peers, server: Disconnecting) -> None:
        self._rooms = rooms
        self._server = server
        peers.serves.update(
            close_room=self._close_room,
            disconnect=self._disconnect,
            enter=self._enter,
            leave=self._leave,
            call=self._call,
        )

    async def _close_room(self, asked: PeerRequest) -> bytes:
        await self._rooms.close_here(room_of(asked.room), asked.namespace)
        return b""

    async def _disconnect(self, asked: PeerRequest) -> bytes:
        self._member(asked)
        await self._server.disconnect(asked.sid, namespace=asked.namespace, ignore_queue=True)
        return b""

    async def _enter(self, asked: PeerRequest) -> bytes:
        self._member(asked)
        await self._rooms.enter_room(asked.sid, asked.namespace, room_of(asked.room))
        return b""

    async def _leave(self, asked: PeerRequest) -> bytes:
        self._member(asked)
        await self._rooms.leave_room(asked.sid, asked.namespace, room_of(asked.room))
        return b""

    async def _call(self, asked: PeerRequest) -> bytes:
        member = self._member(asked)
        answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        def answer(*arguments: object) -> None:
            if answered.done():
                return
            try:
                answered.set_result(_encode(arguments))
            except (ValueError, OverflowError, RecursionError) as error:
                # Nobody shall wait for what no message between nodes can hold, as a number of a hundred digits.
                answered.set_exception(InvalidBody(str(error)))

        self._rooms.ask(member, asked.payload, answer)
        return await answered

    def _member(self, asked: PeerRequest) -> Member:
        """Return whom a request is about; raises NotFound if that client is not here."""
        member: Member | None = self._rooms.member(asked.sid, asked.namespace)
        if member is None:
            raise NotFound
        return member
