"""What each of the gateways has: a fence, and what its clients sent when they connected."""

from typing import Any

from roomwire import Gateway, Socket, subscribe


def auth_of(socket: Socket) -> dict[str, Any]:
    """Return what the client sent when it connected."""
    auth = socket.handshake.auth
    return auth if isinstance(auth, dict) else {}


class Fenced(Gateway):
    """What every gateway here has: an event that shows the end of all that came before."""

    @subscribe("fence")
    async def fence(self, socket: Socket, number: int) -> str:
        await self.emit("fenced", number, to=socket.id)
        return "fence"
