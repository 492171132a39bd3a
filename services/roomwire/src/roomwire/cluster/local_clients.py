"""Performs the requests of other nodes that concern one client of this node, or one room."""

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
    """A method of a `socketio.AsyncServer` for one of its clients. It is looked up with each call, because it may be replaced."""

    async def disconnect(self, sid: str, namespace: str | None = None, *, ignore_queue: bool = False) -> None:
        """Disconnect a client."""


class LocalClients:
    """Performs the requests of other nodes.

    Args:
        rooms: The clients of this node.
        peers: The source of the requests.
        server: Disconnects a client.

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
                # A value that no message between nodes can hold, such as a number of a hundred digits, must not leave a caller waiting.
                answered.set_exception(InvalidBody(str(error)))

        self._rooms.ask(member, asked.payload, answer)
        return await answered

    def _member(self, asked: PeerRequest) -> Member:
        """Return the client that a request concerns; raise NotFound if it is not on this node."""
        member: Member | None = self._rooms.member(asked.sid, asked.namespace)
        if member is None:
            raise NotFound
        return member
