"""The application that foreign clients talk to: rooms, acks, bytes, and the client's transport.

`js/reference.mjs` is the same application on the reference server. Run this one by `python deploy/clients/served.py`.
"""

import sys
from typing import Any, Final

from roomwire import Gateway, Socket, subscribe
from roomwire_local.alone import serve

_MISSING: Final[Any] = object()


class Talk(Gateway):
    """Acknowledges every event."""

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
        """Return the value as the argument of the ack."""
        return value

    @subscribe("reflect")
    async def reflect(self, socket: Socket, one: Any, two: Any = _MISSING, three: Any = _MISSING) -> str:
        """Send the values back in an event."""
        await socket.emit("reflected", *(value for value in (one, two, three) if value is not _MISSING))
        return "reflected"

    @subscribe("ask")
    async def ask(self, socket: Socket, value: Any) -> Any:
        """Send the client a question, and return its answer."""
        return await self.server.call("question", value, to=socket.id, namespace=self.namespace)

    @subscribe("transport")
    async def transport(self, socket: Socket) -> str:
        """Return the client's present transport."""
        return str(self.server.transport(socket.id, self.namespace))


if __name__ == "__main__":
    sys.exit(serve(Talk))
