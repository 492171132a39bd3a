"""The application that foreign clients talk to: rooms, acks, bytes, and what a client says of itself.

`js/reference.mjs` is the same on the reference server. Run as a process: `python deploy/clients/served.py`.
"""

import sys
from typing import Any, Final

from roomwire import Gateway, Socket, subscribe
from roomwire_local.alone import serve

_MISSING: Final[Any] = object()


class Talk(Gateway):
    """Every event is acknowledged."""

    @subscribe("join")
    async def join(self, socket: Socket, room: str) -> str:
        """Join a room."""
        await socket.join(room)
        return "joined"

    @subscribe("say")
    async def say(self, room: str, text: str) -> str:
        """Send a text to a room."""
        await self.emit("said", (room, text), to=room)
        return "said"

    @subscribe("echo")
    async def echo(self, value: Any) -> Any:
        """Return what was sent as the argument of the ack."""
        return value

    @subscribe("reflect")
    async def reflect(self, socket: Socket, one: Any, two: Any = _MISSING, three: Any = _MISSING) -> str:
        """Send what was sent back in an event."""
        await socket.emit("reflected", *(value for value in (one, two, three) if value is not _MISSING))
        return "reflected"

    @subscribe("ask")
    async def ask(self, socket: Socket, value: Any) -> Any:
        """Ask the client, and return its answer."""
        return await self.server.call("question", value, to=socket.id, namespace=self.namespace)

    @subscribe("transport")
    async def transport(self, socket: Socket) -> str:
        """Return the transport that the client uses now."""
        return str(self.server.transport(socket.id, self.namespace))


if __name__ == "__main__":
    sys.exit(serve(Talk))
