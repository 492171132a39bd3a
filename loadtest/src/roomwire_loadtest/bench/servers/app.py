"""The application that the benchmark measures: the tutorial's room and an echo, on a single gateway."""

import sys

import msgspec

from roomwire import Gateway, Socket, subscribe
from roomwire_local.alone import serve


class JoinRoom(msgspec.Struct):
    """The body of `joinRoom`."""

    roomId: str  # noqa: N815 - as on the wire


class ChatMessage(msgspec.Struct):
    """The body of `chatMessage`."""

    roomId: str  # noqa: N815 - as on the wire
    message: str


class BenchGateway(Gateway):
    """Joins rooms, sends to rooms, echoes."""

    @subscribe("joinRoom")
    async def join_room(self, socket: Socket, body: JoinRoom) -> str:
        """Join a room."""
        await socket.join(body.roomId)
        return "joined"

    @subscribe("chatMessage")
    async def chat_message(self, body: ChatMessage) -> None:
        """Send a message to a room."""
        await self.emit("roomMessage", body.message, to=body.roomId)

    @subscribe("echo")
    async def echo(self, body: str) -> str:
        """Return the text."""
        return body


if __name__ == "__main__":
    sys.exit(serve(BenchGateway))
