"""Clients of the system under measurement: how they are let in."""

from collections.abc import Callable, Sequence
from typing import Final

from roomwire_loadtest.capacity.measuring.dialect import Chat
from roomwire_loadtest.generator.links import Flow, Link, Opening, open_links

_UNDER_WAY: Final = 20


class Clients:
    """Lets clients in, all with one token.

    Args:
        token: It.

    Attributes:
        auth: The JSON that goes with Socket.IO's CONNECT.

    """

    def __init__(self, token: str) -> None:
        self.auth = b'{"token":"%s"}' % token.encode()

    def opening(self, port: int, room: str | None = None) -> Opening:
        """Return how one comes to a gateway, and enters a room."""
        return Opening(port, Chat(), room, auth=self.auth)

    def come(
        self, openings: Sequence[Opening], flow: Callable[[Opening], Flow] = Opening.websocket
    ) -> list[Link]:
        """Let them in, a few at a time; raises `LinkError` if one does not come."""
        return open_links(openings, flow, under_way=_UNDER_WAY)
